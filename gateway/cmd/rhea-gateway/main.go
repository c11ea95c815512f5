// Command rhea-gateway runs the gateway: the process that clients connect to.
package main

import (
	"rhea/gateway"
	"rhea/proto/stage"
)

func main() { stage.Main(gateway.Program()) }
