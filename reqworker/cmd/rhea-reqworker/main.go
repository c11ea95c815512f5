// Command rhea-reqworker runs the reqworker stage as a process: it answers REQs and COUNTs
// from the store.
package main

import (
	"rhea/proto/stage"
	"rhea/reqworker"
)

func main() { stage.Main(reqworker.Program()) }
