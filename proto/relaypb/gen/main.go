// Command gen compiles the .proto files beside it to Go: `make gen`.
//
// It is protoc in forty lines: protocompile parses, protoc-gen-go (of the same
// protobuf version as the run-time library) writes, and quick.go adds the methods that
// write and read messages without reflection. So nobody needs a protoc of some version
// installed, and the output is the same on every machine.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run() error {
	names, err := filepath.Glob("*.proto")
	if err != nil || len(names) == 0 {
		return fmt.Errorf("no .proto files here: run it in proto/relaypb (%v)", err)
	}
	compiler := protocompile.Compiler{
		Resolver:       &protocompile.SourceResolver{},
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return err
	}
	req := &pluginpb.CodeGeneratorRequest{FileToGenerate: names, Parameter: proto.String("paths=source_relative")}
	for _, f := range files {
		req.ProtoFile = append(req.ProtoFile, protoutil.ProtoFromFileDescriptor(f))
	}
	in, err := proto.Marshal(req)
	if err != nil {
		return err
	}
	plugin := exec.Command("go", "tool", "protoc-gen-go")
	plugin.Stdin, plugin.Stderr = bytes.NewReader(in), os.Stderr
	out, err := plugin.Output()
	if err != nil {
		return fmt.Errorf("protoc-gen-go: %w", err)
	}
	var resp pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out, &resp); err != nil {
		return err
	}
	if resp.Error != nil {
		return fmt.Errorf("protoc-gen-go: %s", *resp.Error)
	}
	own, err := protogen.Options{}.New(req)
	if err != nil {
		return err
	}
	if err := writeQuick(own); err != nil {
		return err
	}
	quick := own.Response()
	if quick.Error != nil {
		return fmt.Errorf("quick.go: %s", *quick.Error)
	}
	for _, f := range append(resp.File, quick.File...) {
		if err := os.WriteFile(f.GetName(), []byte(f.GetContent()), 0o644); err != nil {
			return err
		}
	}
	return nil
}
