package settings

import (
	"context"
	"fmt"

	"rhea/gateway"
	"rhea/ingester"
	"rhea/monitor"
	"rhea/negentropy"
	"rhea/proto/stage"
	"rhea/proto/subject"
	"rhea/reqworker"
	"rhea/writer"
)

// Run runs one stage, as it is set, until ctx ends; for programs that hold several.
func (r *Relay) Run(ctx context.Context, st subject.Stage, env stage.Env) error {
	switch st {
	case subject.Gateway:
		return gateway.Run(ctx, r.Gateway, env)
	case subject.Ingester:
		return ingester.Run(ctx, r.Ingester, env)
	case subject.Writer:
		return writer.Run(ctx, r.Writer, env)
	case subject.Reqworker:
		return reqworker.Run(ctx, r.Reqworker, env)
	case subject.Monitor:
		return monitor.Run(ctx, r.Monitor, env)
	case subject.Negentropy:
		return negentropy.Run(ctx, r.Negentropy, env)
	}
	return fmt.Errorf("no such stage: %s", st)
}
