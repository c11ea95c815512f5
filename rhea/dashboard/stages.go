package dashboard

func gatewayRow() row {
	return row{title: "Gateway", closed: true, panels: []panel{
		{title: "Connections", help: "And how many there may be (max_connections).", unit: "short", queries: []query{
			{total("rhea_gateway_conns"), "open"}, {total("rhea_gateway_conns_limit"), "limit"}, {total("rhea_gateway_subs"), "subscriptions"},
		}},
		{title: "Bytes of clients", unit: "Bps", queries: []query{
			{rate("rhea_gateway_in_bytes_total"), "read"}, {rate("rhea_gateway_out_bytes_total"), "written"},
		}},
		{title: "Window", help: "Messages without an answer. When it is full, sockets are not read.", unit: "bytes", queries: []query{
			{worst("rhea_gateway_window_bytes", "instance"), "{{instance}}"}, {worst("rhea_gateway_window_limit_bytes"), "limit"},
		}},
		{title: "Connections opened and cut", unit: "ops", queries: []query{
			{rate("rhea_gateway_opened_total"), "opened"}, {rate("rhea_gateway_disconnects_total", "reason"), "cut: {{reason}}"},
		}},
		{title: "Refused", help: "Requests by reason, and subscriptions that the relay closed.", unit: "ops", queries: []query{
			{rate("rhea_gateway_refused_total", "reason"), "{{reason}}"}, {rate("rhea_gateway_closed_total"), "closed"},
		}},
		{title: "Unanswered", help: "EVENTs and AUTHs, and questions given up with error:.", unit: "short", queries: []query{
			{total("rhea_gateway_pending_events"), "pending"}, {rate("rhea_gateway_timeouts_total"), "given up/s"}, {rate("rhea_gateway_answers_late_total"), "answers too late/s"},
		}},
	}}
}

func ingesterRow() row {
	return row{title: "Ingester", closed: true, panels: []panel{
		{title: "Events", unit: "ops", queries: []query{
			{rate("rhea_ingester_received_total"), "received"}, {rate("rhea_ingester_admitted_total"), "admitted"}, {rate("rhea_ingester_forged_total"), "forged"},
		}},
		{title: "Refused", help: "By reason, without asking the writer.", unit: "ops", queries: []query{{rate("rhea_ingester_refused_total", "reason"), "{{reason}}"}}},
		{title: "Batch", help: "From taking a batch to having sent what became of it.", unit: "s", log: true, queries: spread("rhea_ingester_batch_seconds", "")},
		{title: "Signatures", unit: "ops", queries: []query{
			{rate("rhea_ingester_signature_checks_total"), "verified"}, {rate("rhea_ingester_signature_checks_spared_total"), "known, not verified again"},
		}},
		{title: "Signatures in a batch", unit: "short", queries: []query{
			{mean("rhea_ingester_batch_signatures"), "mean"}, {quantile(.99, "rhea_ingester_batch_signatures"), "p99"},
		}},
		{title: "AUTHs", unit: "ops", queries: []query{
			{rate("rhea_ingester_auths_total"), "received"}, {rate("rhea_ingester_authenticated_total"), "good"}, {rate("rhea_ingester_auths_refused_total"), "refused"},
		}},
	}}
}

func writerRow() row {
	return row{title: "Writer", closed: true, panels: []panel{
		{title: "Verdicts", help: "What became of EVENTs.", unit: "ops", stacked: true, queries: []query{{rate("rhea_writer_verdicts_total", "outcome"), "{{outcome}}"}}},
		{title: "Commit", help: "From the decision to the verdicts, and what of it was waiting for the disk.", unit: "s", log: true,
			queries: join(spread("rhea_writer_commit_seconds", "commit"), spread("rhea_writer_sync_seconds", "disk"))},
		{title: "Events in a commit", help: "One fsync serves them all.", unit: "short", queries: []query{
			{mean("rhea_writer_commit_events"), "mean"}, {quantile(.99, "rhea_writer_commit_events"), "p99"},
		}},
		{title: "Reading", unit: "ops", queries: []query{
			{rate("rhea_writer_scans_total"), "slices"}, {rate("rhea_writer_scan_events_total"), "events"}, {rate("rhea_writer_log_fetches_total"), "ranges of the log"},
		}},
		{title: "Slice", help: "To read one.", unit: "s", log: true, queries: spread("rhea_writer_scan_seconds", "")},
		{title: "Waiting and refused", unit: "short", queries: []query{
			{total("rhea_writer_commits_waiting"), "commits"}, {total("rhea_writer_scans_waiting"), "slices"},
			{total("rhea_writer_log_fetches_waiting"), "ranges of the log"}, {rate("rhea_writer_busy_total", "inbox"), "refused/s: {{inbox}}"},
		}},
	}}
}

func storeRow() row {
	return row{title: "Store (Pebble)", panels: []panel{
		{title: "Disk", unit: "bytes", queries: []query{
			{total("rhea_writer_store_bytes"), "store"}, {total("rhea_writer_disk_free_bytes"), "free"}, {total("rhea_writer_disk_reserve_bytes"), "reserve"},
		}},
		{title: "Block cache", help: "Share of blocks that were found in memory.", unit: "percentunit", max: 1, queries: []query{
			{rate("rhea_writer_cache_hits_total") + " / (" + rate("rhea_writer_cache_hits_total") + " + " + rate("rhea_writer_cache_misses_total") + ")", "hits"},
		}},
		{title: "Stalls", help: "Share of the time that commits were kept waiting because flushes or compactions did not keep up.", unit: "percentunit", queries: []query{
			{rate("rhea_writer_stalled_seconds_total"), "stalled"},
		}},
		{title: "Level 0", help: "Tables that overlap, and tables that one lookup may visit.", unit: "short", queries: []query{
			{total("rhea_writer_level0_files"), "files"}, {total("rhea_writer_read_amplification"), "read amplification"},
		}},
		{title: "Flushes and compactions", unit: "ops", queries: []query{
			{rate("rhea_writer_flushes_total"), "flushes"}, {rate("rhea_writer_compactions_total"), "compactions"}, {rate("rhea_writer_background_errors_total"), "failed"},
		}},
		{title: "Bytes", help: "Written to the write-ahead log per second; the others as they are.", unit: "bytes", queries: []query{
			{rate("rhea_writer_wal_written_bytes_total"), "WAL written/s"}, {total("rhea_writer_wal_bytes"), "WAL"}, {total("rhea_writer_memtable_bytes"), "memtables"},
			{total("rhea_writer_cache_bytes"), "block cache"}, {total("rhea_writer_compaction_debt_bytes"), "still to compact"},
		}},
	}}
}

func reqworkerRow() row {
	return row{title: "Reqworker", closed: true, panels: []panel{
		{title: "Queries", unit: "short", stacked: true, queries: []query{
			{total("rhea_reqworker_reading"), "reading"}, {total("rhea_reqworker_ready"), "in line"},
			{total("rhea_reqworker_resting"), "waiting for the store"}, {total("rhea_reqworker_paused"), "waiting for the client"},
		}},
		{title: "Query and slice", help: "A query takes as long as its client takes what it is sent.", unit: "s", log: true,
			queries: join(spread("rhea_reqworker_eose_seconds", "query"), spread("rhea_reqworker_slice_seconds", "slice"))},
		{title: "Sent", unit: "ops", queries: []query{
			{rate("rhea_reqworker_events_total"), "events"}, {rate("rhea_reqworker_parts_total"), "parts"}, {rate("rhea_reqworker_counts_total"), "counts"},
		}},
		{title: "Again and refused", unit: "ops", queries: []query{
			{rate("rhea_reqworker_failures_total"), "slices that nobody answered"}, {rate("rhea_reqworker_busy_total"), "store too busy"}, {rate("rhea_reqworker_closed_total"), "refused or failed"},
		}},
		{title: "Filters in memory", unit: "bytes", queries: []query{
			{total("rhea_reqworker_filter_bytes"), "used"}, {total("rhea_reqworker_filter_limit_bytes"), "limit"},
		}},
		{title: "Bytes of events", unit: "Bps", queries: []query{{rate("rhea_reqworker_bytes_total"), "sent"}}},
	}}
}

func monitorRow() row {
	return row{title: "Monitor", closed: true, panels: []panel{
		{title: "Subscriptions", unit: "short", queries: []query{
			{total("rhea_monitor_watches"), "watches"}, {total("rhea_monitor_filters"), "different filters"}, {total("rhea_monitor_waiting"), "being brought up to date"},
		}},
		{title: "Match", help: "One batch of the log against all live filters.", unit: "s", log: true, queries: spread("rhea_monitor_match_seconds", "")},
		{title: "Deliveries", unit: "ops", queries: []query{
			{rate("rhea_monitor_commits_total"), "events matched"}, {rate("rhea_monitor_deliveries_total"), "sent to gateways"}, {rate("rhea_monitor_recipients_total"), "recipients"},
		}},
		{title: "Behind the writer", unit: "s", queries: []query{{worst(`rhea_log_lag_seconds{stage="monitor"}`, "instance"), "{{instance}}"}}},
		{title: "Filters tried for an event", help: "Out of the index's suggestions; few is good.", unit: "short", queries: []query{
			{rate("rhea_monitor_tried_total") + " / " + rate("rhea_monitor_commits_total"), "tried"},
		}},
		{title: "Memory", unit: "bytes", queries: []query{
			{total("rhea_monitor_window_bytes"), "window"}, {total("rhea_monitor_window_limit_bytes"), "window, limit"},
			{total("rhea_monitor_filter_bytes"), "filters"}, {total("rhea_monitor_filter_limit_bytes"), "filters, limit"},
		}},
	}}
}

func negentropyRow() row {
	return row{title: "Negentropy", closed: true, panels: []panel{
		{title: "Sessions", unit: "short", queries: []query{
			{total("rhea_negentropy_sessions"), "open"}, {total("rhea_negentropy_waiting"), "being read"}, {total("rhea_negentropy_sessions_limit"), "limit"},
		}},
		{title: "Message", help: "From its arrival to the answer, and what of it was making the answer.", unit: "s", log: true,
			queries: join(spread("rhea_negentropy_message_seconds", "message"), spread("rhea_negentropy_reply_seconds", "answer"))},
		{title: "Tree", help: "Ids of all public events, and Seqs that it is behind the writer.", unit: "short", queries: []query{
			{worst("rhea_negentropy_tree_records"), "ids"}, {worst(`rhea_log_lag{stage="negentropy"}`), "behind"},
		}},
	}}
}

func natsRow() row {
	return row{title: "NATS", closed: true, panels: []panel{
		{title: "Bytes on the bus", help: "Sent, by stage.", unit: "Bps", stacked: true, queries: []query{{rate("rhea_bus_out_bytes_total", "stage"), "{{stage}}"}}},
		{title: "Processes without the bus", unit: "short", queries: []query{{"count(rhea_bus_up == 0) or vector(0)", "cut off"}}},
		{title: "Losses", help: "Reconnects, full inboxes, and what did not decode.", unit: "ops", queries: []query{
			{rate("rhea_bus_reconnects_total", "stage"), "reconnects: {{stage}}"}, {rate("rhea_bus_dropped_total", "stage"), "inbox full: {{stage}}"}, {rate("rhea_bus_garbage_total", "stage"), "garbage: {{stage}}"},
		}},
		{title: "The server in rhea up or rhea solo", help: "A NATS server of its own has its own exporter.", unit: "short", queries: []query{
			{total("rhea_nats_connections"), "connections"}, {total("rhea_nats_subscriptions"), "subscriptions"}, {total("rhea_nats_slow_consumers_total"), "slow consumers cut"},
		}},
		{title: "Messages through it", unit: "ops", queries: []query{
			{rate("rhea_nats_in_messages_total"), "in"}, {rate("rhea_nats_out_messages_total"), "out"},
		}},
		{title: "Bytes through it", unit: "Bps", queries: []query{
			{rate("rhea_nats_in_bytes_total"), "in"}, {rate("rhea_nats_out_bytes_total"), "out"},
		}},
	}}
}

func processesRow() row {
	// What Go and the system say carries no stage: it comes from who says both. In
	// rhea solo all stages are one process, whose name is solo.
	who := " * on (job, instance) group_left (stage) topk by (job, instance) (1, rhea_build_info)"
	of := func(expr string) []query { return []query{{expr + who, "{{stage}} {{instance}}"}} }
	return row{title: "Processes", panels: []panel{
		{title: "CPU", help: "Cores in use.", unit: "short", stacked: true, queries: of("rate(process_cpu_seconds_total[" + interval + "])")},
		{title: "Memory", help: "Resident.", unit: "bytes", stacked: true, queries: of("process_resident_memory_bytes")},
		{title: "Goroutines", unit: "short", queries: of("go_goroutines")},
		{title: "Garbage collection", help: "Share of the time that the world stood still.", unit: "percentunit", queries: of("rate(go_gc_duration_seconds_sum[" + interval + "])")},
		{title: "Open files", unit: "short", queries: of("process_open_fds")},
		{title: "Uptime", unit: "s", queries: []query{{"rhea_uptime_seconds", "{{stage}} {{instance}}"}}},
		{title: "Versions", kind: "table", width: 12, queries: []query{{"rhea_build_info", ""}}},
		{title: "Settings", help: "Processes whose file was refused, and settings that wait for a restart.", unit: "short", kind: "stat", width: 12, yellow: 1, queries: []query{
			{"count(rhea_config_current == 0) or vector(0)", "refused"}, {worst("rhea_config_waits_for_restart"), "wait for a restart"},
		}},
	}}
}
