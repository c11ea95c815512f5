// Package reference writes what the documents say of the settings from what the
// code says: the reference page, docs/configuration.md, and the example of a file,
// docs/deploy/rhea.toml. `make gen` writes them; a test (package rules) compares.
//
// It owns the words around the tables, and nothing that a table says.
package reference

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/rhea/settings"
)

//go:embed intro.md
var intro string

// exampleIntro stands above the example.
const exampleIntro = `# Every setting of a Rhea relay, at its default. One file serves all of its programs:
# rhea up --config rhea.toml. Remove the first # of what is to be changed, and try the
# file before the relay does: rhea config check rhea.toml.
# docs/configuration.md says what can be changed while the relay runs.

`

// Files returns the contents of the generated files by their paths below root, the
// top of the repository, whose programs are read to know who reads what.
func Files(root string) (map[string]string, error) {
	page, err := page(root)
	if err != nil {
		return nil, err
	}
	return map[string]string{
		"docs/configuration.md": page,
		"docs/deploy/rhea.toml": exampleIntro + loader().Example(),
	}, nil
}

// loader knows every section.
func loader() *stage.Loader {
	relay, common := settings.Default(), stage.DefaultCommon()
	return &stage.Loader{Name: "rhea", Config: []any{&relay, &common}}
}

func page(root string) (string, error) {
	readers, err := readers(root)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(intro)
	sections := loader().Describe()
	b.WriteString("\n| section | for | read by |\n|---|---|---|\n")
	for _, s := range sections {
		fmt.Fprintf(&b, "| [`[%s]`](#%s) | %s | %s |\n", s.Name, s.Name, cell(s.Help), strings.Join(readers[s.Name], ", "))
	}
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| key | takes | default | a change | effect |\n|---|---|---|---|---|\n", s.Name)
		for _, k := range s.Keys {
			change := "restart"
			if k.Live {
				change = "live"
			}
			fmt.Fprintf(&b, "| `%s` | %s | `%s` | %s | %s |\n", k.Name, cell(k.Takes), cell(k.Default), change, cell(k.Help))
		}
	}
	return b.String(), nil
}

// cell keeps a text from ending its cell of a table, or its line.
func cell(text string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
}

// readers returns by section the stages whose programs read it; `rhea up` and
// `rhea solo` read all. What every program has, stage.Common, is said in a word.
func readers(root string) (map[string][]string, error) {
	by := make(map[string][]string)
	tag := regexp.MustCompile("toml:\"([a-z]+)\"")
	for _, st := range subject.Stages() {
		path := filepath.Join(root, string(st), "program.go")
		source, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for _, m := range tag.FindAllSubmatch(source, -1) {
			by[string(m[1])] = append(by[string(m[1])], string(st))
		}
	}
	for name, list := range by {
		if len(list) == len(subject.Stages()) {
			by[name] = []string{"every stage"}
		}
		slices.Sort(by[name])
	}
	common := stage.DefaultCommon()
	for _, s := range (&stage.Loader{Name: "rhea", Config: []any{&common}}).Describe() {
		by[s.Name] = []string{"every stage"}
	}
	by["up"] = []string{"`rhea` alone"}
	return by, nil
}
