// Command rhea-negentropy runs the negentropy stage as a process: it reconciles
// sets of events with clients (NIP-77).
package main

import (
	"rhea/negentropy"
	"rhea/proto/stage"
)

func main() { stage.Main(negentropy.Program()) }
