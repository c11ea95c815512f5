// Command rhea-monitor runs the monitor stage as a process: it matches what is
// published against the live subscriptions.
package main

import (
	"rhea/monitor"
	"rhea/proto/stage"
)

func main() { stage.Main(monitor.Program()) }
