package rules

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rhea/proto/subject"
)

// What a credential permits, in the files that operators copy, is what package
// subject says of its role. Package e2e has a relay run under these very files.
func TestPermissionsFile(t *testing.T) {
	space, err := subject.New(subject.DefaultPrefix, subject.DefaultShards)
	if err != nil {
		t.Fatal(err)
	}
	const name = "docs/deploy/cluster/permissions.conf"
	is, err := os.ReadFile(filepath.Join(root(t), filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	if should := permissions(space); string(is) != should {
		t.Errorf("%s is not what subject.Traffic says. It should be:\n%s", name, should)
	}
}

// permissions is the part of a NATS server's configuration that says who may what.
func permissions(space subject.Space) string {
	quoted := func(subjects []string) string { return `"` + strings.Join(subjects, `", "`) + `"` }
	var b strings.Builder
	b.WriteString(`# Who may say and hear what on the bus: for each stage, and for those who run commands,
# the subject of their certificate, and the subjects of theirs. A test keeps this file
# equal to proto/subject/traffic.go. With another [bus] prefix than rhea, replace it here.
authorization {
  users = [
`)
	for _, role := range subject.Roles() {
		may := space.Traffic(role)
		fmt.Fprintf(&b, "    {\n      user: \"CN=%s\"\n      permissions: {\n        publish: [%s]\n        subscribe: [%s]\n      }\n    }\n",
			role, quoted(may.Publish), quoted(may.Subscribe))
	}
	b.WriteString("  ]\n}\n")
	return b.String()
}
