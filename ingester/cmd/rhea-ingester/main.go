// Command rhea-ingester runs the ingester stage as a process: it checks what
// clients want to publish and passes it on to the writer.
package main

import (
	"rhea/ingester"
	"rhea/proto/stage"
)

func main() { stage.Main(ingester.Program()) }
