// Package dashboard writes the Grafana dashboard of a relay,
// docs/deploy/observe/grafana/dashboards/rhea.json (make gen): rows.go and stages.go
// say what is shown, grafana.go knows Grafana's JSON.
//
// It is made, not drawn, so that a panel is a line that can be read and reviewed,
// and alike are alike. It knows the names of metrics and nothing of what they come
// from; a rule (package rules) checks that each name exists.
package dashboard
