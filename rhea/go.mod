module rhea/rhea

go 1.26

require (
	rhea/proto v0.0.0
	rhea/gateway v0.0.0
	rhea/ingester v0.0.0
	rhea/writer v0.0.0
	rhea/reqworker v0.0.0
	rhea/monitor v0.0.0
	rhea/negentropy v0.0.0
)

replace (
	rhea/proto => ../proto
	rhea/gateway => ../gateway
	rhea/ingester => ../ingester
	rhea/writer => ../writer
	rhea/reqworker => ../reqworker
	rhea/monitor => ../monitor
	rhea/negentropy => ../negentropy
)
