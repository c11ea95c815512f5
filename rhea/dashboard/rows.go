package dashboard

import (
	"fmt"
	"strings"
)

// interval is Grafana's word for a range that suits the resolution.
const interval = "$__rate_interval"

// rate is how fast a counter grows, per second, summed by the given labels.
func rate(counter string, by ...string) string {
	return fmt.Sprintf("sum%s(rate(%s[%s]))", grouped(by), counter, interval)
}

// total is the sum of a gauge over all processes.
func total(gauge string, by ...string) string { return fmt.Sprintf("sum%s(%s)", grouped(by), gauge) }

// worst is the largest of a gauge.
func worst(gauge string, by ...string) string { return fmt.Sprintf("max%s(%s)", grouped(by), gauge) }

// quantile is one of a histogram's.
func quantile(q float64, histogram string, by ...string) string {
	return fmt.Sprintf("histogram_quantile(%v, %s)", q, rate(bucket(histogram), append([]string{"le"}, by...)...))
}

// mean is a histogram's average.
func mean(histogram string, by ...string) string {
	return rate(histogram+"_sum", by...) + " / " + rate(histogram+"_count", by...)
}

// bucket names the buckets of a histogram that may have a selector.
func bucket(histogram string) string {
	name, selector, selected := strings.Cut(histogram, "{")
	if !selected {
		return name + "_bucket"
	}
	return name + "_bucket{" + selector
}

func grouped(by []string) string {
	if len(by) == 0 {
		return ""
	}
	return " by (" + strings.Join(by, ", ") + ") "
}

// spread is the median and the 99th percentile.
func spread(histogram, name string, by ...string) []query {
	return []query{
		{quantile(.5, histogram, by...), strings.TrimSpace(name + " p50")},
		{quantile(.99, histogram, by...), strings.TrimSpace(name + " p99")},
	}
}

func join(lists ...[]query) (all []query) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}

// rows is the dashboard from top to bottom: what clients feel, the way of a message
// from left to right, then each part of it.
func rows() []row {
	return append([]row{overview(), pipeline(), hops()},
		gatewayRow(), ingesterRow(), writerRow(), storeRow(), reqworkerRow(), monitorRow(), negentropyRow(), natsRow(), processesRow())
}

func overview() row {
	stat := func(title, help, unit, expr string, yellow, red float64) panel {
		return panel{title: title, help: help, unit: unit, kind: "stat", width: 3, height: 4, yellow: yellow, red: red, queries: []query{{expr, ""}}}
	}
	// Nothing in the interval is not a number, and is shown as a dash.
	tail := func(histogram string) string { return quantile(.99, histogram) + " >= 0" }
	return row{title: "Overview", panels: []panel{
		stat("Not ready", "Conditions of /readyz that do not hold, over all processes.", "short", "count(rhea_ready == 0) or vector(0)", 1, 3),
		stat("Connections", "Open WebSockets.", "short", total("rhea_gateway_conns"), 0, 0),
		stat("Subscriptions", "Open subscriptions.", "short", total("rhea_gateway_subs"), 0, 0),
		stat("EVENTs", "From clients, per second.", "short", rate("rhea_gateway_events_total"), 0, 0),
		stat("OK p99", "From reading an EVENT to its OK, which comes after the fsync.", "s", tail("rhea_gateway_event_seconds"), .25, 1),
		stat("EOSE p99", "From reading a REQ to its EOSE.", "s", tail(`rhea_gateway_query_seconds{until="eose"}`), 1, 5),
		stat("Live p99", "From disk to a live subscription's socket.", "s", tail("rhea_gateway_live_seconds"), .25, 1),
		stat("Behind", "The follower of the log that is farthest behind.", "s", worst("rhea_log_lag_seconds"), 2, 10),
		{title: "EVENTs", help: "What clients publish and what they are told.", unit: "ops", queries: []query{
			{rate("rhea_gateway_events_total"), "received"},
			{rate("rhea_gateway_events_accepted_total"), "OK true"},
			{rate("rhea_gateway_events_refused_total"), "OK false"},
			{rate("rhea_gateway_timeouts_total"), "given up"},
		}},
		{title: "What clients ask", help: "REQs, COUNTs and negentropy messages, per second.", unit: "ops", queries: []query{
			{rate("rhea_gateway_queries_total"), "REQ"},
			{rate("rhea_gateway_counts_total"), "COUNT"},
			{rate("rhea_negentropy_sessions_opened_total"), "NEG-OPEN"},
			{rate("rhea_negentropy_messages_total"), "NEG-MSG"},
		}},
		{title: "Events sent to clients", help: "Stored ones for REQs, live ones for open subscriptions.", unit: "ops", stacked: true, queries: []query{
			{rate("rhea_gateway_stored_events_total"), "stored"},
			{rate("rhea_gateway_deliveries_total"), "live"},
		}},
		{title: "Latency end to end, median", help: "As the gateway measures it: from having read the client's message to having the answer ready for its socket.", unit: "s", log: true, width: 12, queries: latencies(.5)},
		{title: "Latency end to end, p99", help: "The same; one in a hundred takes longer.", unit: "s", log: true, width: 12, queries: latencies(.99)},
	}}
}

func latencies(q float64) []query {
	return []query{
		{quantile(q, "rhea_gateway_event_seconds"), "EVENT → OK"},
		{quantile(q, `rhea_gateway_query_seconds{until="first"}`), "REQ → first"},
		{quantile(q, `rhea_gateway_query_seconds{until="eose"}`), "REQ → EOSE"},
		{quantile(q, "rhea_gateway_count_seconds"), "COUNT"},
		{quantile(q, "rhea_gateway_live_seconds"), "disk → live"},
	}
}

// pipeline has one column a stage, in the order in which an EVENT passes them, then
// those that read.
func pipeline() row {
	column := func(title, help string, queries ...query) panel {
		return panel{title: title, help: help, kind: "stat", width: 4, height: 9, unit: "short", queries: queries}
	}
	processes := func(stage string) query {
		return query{fmt.Sprintf("count(rhea_uptime_seconds{stage=%q}) or vector(0)", stage), "processes"}
	}
	waiting := func(stage string) query {
		return query{fmt.Sprintf("max(rhea_inbox_waiting{stage=%q})", stage), "waiting"}
	}
	return row{title: "Pipeline: an EVENT passes gateway → ingester → writer → monitor → gateway; a REQ gateway → reqworker → writer", panels: []panel{
		column("① gateway", "Clients' connections.", processes("gateway"),
			query{rate("rhea_gateway_messages_total"), "messages/s"}, query{rate("rhea_gateway_stored_events_total") + " + " + rate("rhea_gateway_deliveries_total"), "events out/s"}, waiting("gateway")),
		column("② → ingester", "Checks and signatures.", processes("ingester"),
			query{rate("rhea_ingester_received_total"), "events/s"}, query{rate("rhea_ingester_admitted_total"), "admitted/s"}, waiting("ingester")),
		column("③ → writer", "The store.", processes("writer"),
			query{rate("rhea_writer_received_total"), "events/s"}, query{rate("rhea_writer_commits_total"), "commits/s"}, waiting("writer")),
		column("④ → monitor", "Live subscriptions.", processes("monitor"),
			query{rate("rhea_monitor_commits_total"), "matched/s"}, query{rate("rhea_monitor_recipients_total"), "recipients/s"}, waiting("monitor")),
		column("REQ → reqworker", "Stored events.", processes("reqworker"),
			query{rate("rhea_reqworker_queries_total"), "queries/s"}, query{rate("rhea_reqworker_slices_total"), "slices/s"}, waiting("reqworker")),
		column("NEG → negentropy", "Reconciliation.", processes("negentropy"),
			query{total("rhea_negentropy_sessions"), "sessions"}, query{total("rhea_negentropy_tree_records"), "ids in memory"}, waiting("negentropy")),
	}}
}

func hops() row {
	byInbox := func(q float64) []query { return []query{{quantile(q, "rhea_bus_hop_seconds", "inbox"), "{{inbox}}"}} }
	return row{title: "Hops: from sending a bus message to taking it out of the inbox", panels: []panel{
		{title: "Hop, median", help: "NATS and the queue of the receiver, by inbox. ingest and write are an EVENT's way, out its answer; req, scan and reply a REQ's; log a live event's.", unit: "s", log: true, queries: byInbox(.5)},
		{title: "Hop, p99", help: "The same; one in a hundred takes longer.", unit: "s", log: true, queries: byInbox(.99)},
		{title: "Waiting in inboxes", help: "Bus messages; an inbox holds 16384.", unit: "short", queries: []query{
			{worst("rhea_inbox_waiting", "stage"), "{{stage}}"},
			{worst("rhea_log_waiting"), "log of a monitor"},
		}},
		{title: "Work of a stage, p99", help: "Seconds for one batch, commit, slice, match or message.", unit: "s", log: true, queries: []query{
			{quantile(.99, "rhea_ingester_batch_seconds"), "ingester batch"},
			{quantile(.99, "rhea_writer_commit_seconds"), "writer commit"},
			{quantile(.99, "rhea_writer_sync_seconds"), "of which the disk"},
			{quantile(.99, "rhea_writer_scan_seconds"), "writer scan"},
			{quantile(.99, "rhea_reqworker_slice_seconds"), "reqworker slice"},
			{quantile(.99, "rhea_monitor_match_seconds"), "monitor match"},
			{quantile(.99, "rhea_negentropy_message_seconds"), "negentropy message"},
		}},
		{title: "Bus messages sent", help: "Per second, by stage. Under load a message carries many.", unit: "ops", queries: []query{{rate("rhea_bus_out_messages_total", "stage"), "{{stage}}"}}},
		{title: "Made good", help: "What was lost, late or moved, and asked for again: nothing that a client notices but time.", unit: "ops", queries: []query{
			{rate("rhea_gateway_events_resent_total"), "EVENTs sent again"},
			{rate("rhea_gateway_queries_resumed_total"), "queries sent again"},
			{rate("rhea_gateway_watches_again_total"), "watches sent again"},
			{rate("rhea_gateway_gaps_total"), "holes in answers"},
			{rate("rhea_bus_dropped_total"), "inbox full"},
		}},
	}}
}
