package stage

// Sections lists the configuration sections of all Rhea programs, in the order
// of docs and examples. One file can configure a whole relay because a program
// passes over the listed sections that are not its own; a section outside this
// list is an error everywhere, so that a misspelt one is never ignored. Whoever
// gives a program a new section adds it here (Load insists).
func Sections() []string {
	return []string{
		"up", "relay", "gateway", "limits", "policy", "ingester", "writer", "reqworker", "monitor", "negentropy",
		"bus", "log", "metrics", "stage",
	}
}
