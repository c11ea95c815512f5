module rhea/ingester

go 1.26

require (
	rhea/proto v0.0.0
)

replace (
	rhea/proto => ../proto
)
