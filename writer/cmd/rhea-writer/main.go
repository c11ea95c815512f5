// Command rhea-writer runs the writer stage as a process: it owns the store.
package main

import (
	"rhea/proto/stage"
	"rhea/writer"
)

func main() { stage.Main(writer.Program()) }
