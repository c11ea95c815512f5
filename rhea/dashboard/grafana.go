package dashboard

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Path is where the dashboard stands in the repository.
const Path = "docs/deploy/observe/grafana/dashboards/rhea.json"

// row is a heading and what stands under it, from left to right.
type row struct {
	title  string
	closed bool // folded until somebody wants to know
	panels []panel
}

// panel is a picture or a few large numbers.
type panel struct {
	title, help string
	unit        string // Grafana's: "s", "Bps", "ops", "short" …
	kind        string // "timeseries" if empty
	width       int    // of 24; 8 if 0
	height      int    // 8 if 0
	queries     []query
	stacked     bool
	log         bool    // logarithmic axis
	max         float64 // of the axis; 0: as it comes
	// What is worth a colour: from this value on.
	yellow, red float64
}

// query is one expression and the name of its lines.
type query struct{ expr, name string }

// object is JSON's.
type object = map[string]any

func source() object { return object{"type": "prometheus", "uid": "${source}"} }

// JSON returns the dashboard as Grafana reads it.
func JSON() ([]byte, error) {
	var panels []object
	id, y := 0, 0
	place := func(p panel, x int) object {
		id++
		return p.object(id, x, y)
	}
	for _, r := range rows() {
		id++
		heading := object{
			"id": id, "type": "row", "title": r.title, "collapsed": r.closed,
			"gridPos": object{"x": 0, "y": y, "w": 24, "h": 1},
		}
		y++
		inside := []object{}
		x, tallest := 0, 0
		for _, p := range r.panels {
			if x+p.w() > 24 {
				x, y, tallest = 0, y+tallest, 0
			}
			inside = append(inside, place(p, x))
			x, tallest = x+p.w(), max(tallest, p.h())
		}
		y += tallest
		if r.closed {
			heading["panels"] = inside
			panels = append(panels, heading)
			continue
		}
		heading["panels"] = []object{}
		panels = append(append(panels, heading), inside...)
	}
	return file(object{
		"uid": "rhea", "title": "Rhea", "tags": []string{"nostr", "rhea"}, "schemaVersion": 39, "version": 1,
		"description": "A Nostr relay made of processes. Made by make gen from rhea/dashboard.",
		"editable":    true, "graphTooltip": 1, "refresh": "10s", "timezone": "browser",
		"time":        object{"from": "now-30m", "to": "now"},
		"annotations": object{"list": []object{}}, "links": []object{},
		"templating": object{"list": []object{{
			"name": "source", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0,
			"current": object{}, "options": []object{}, "refresh": 1, "regex": "", "multi": false, "includeAll": false,
		}}},
	}, panels)
}

// file writes one panel a line, so that a change of one is a change of a line.
func file(board object, panels []object) ([]byte, error) {
	head, err := json.MarshalIndent(board, "", " ")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(bytes.TrimSuffix(head, []byte("\n}")))
	b.WriteString(",\n \"panels\": [")
	for i, p := range panels {
		line, err := json.Marshal(p)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n  %s", line)
	}
	b.WriteString("\n ]\n}\n")
	return b.Bytes(), nil
}

// Expressions returns all that the dashboard asks Prometheus.
func Expressions() (all []string) {
	for _, r := range rows() {
		for _, p := range r.panels {
			for _, q := range p.queries {
				all = append(all, q.expr)
			}
		}
	}
	return all
}

func (p panel) w() int {
	if p.width == 0 {
		return 8
	}
	return p.width
}

func (p panel) h() int {
	if p.height == 0 {
		return 8
	}
	return p.height
}

func (p panel) object(id, x, y int) object {
	kind := p.kind
	if kind == "" {
		kind = "timeseries"
	}
	targets := []object{}
	for i, q := range p.queries {
		t := object{
			"refId": string(rune('A' + i)), "expr": q.expr, "legendFormat": q.name,
			"datasource": source(), "range": true, "instant": false,
		}
		if kind != "timeseries" {
			t["range"], t["instant"] = false, true
		}
		if kind == "table" {
			t["format"] = "table"
		}
		targets = append(targets, t)
	}
	out := object{
		"id": id, "type": kind, "title": p.title, "description": p.help, "datasource": source(), "targets": targets,
		"gridPos":     object{"x": x, "y": y, "w": p.w(), "h": p.h()},
		"fieldConfig": object{"defaults": p.fields(kind), "overrides": []object{}},
		"options":     options(kind),
	}
	if kind == "table" {
		out["transformations"] = []object{{"id": "organize", "options": object{
			"excludeByName": object{"Time": true, "Value": true, "__name__": true, "job": true},
		}}}
	}
	return out
}

// fields are how values look.
func (p panel) fields(kind string) object {
	steps := []object{{"color": "green", "value": nil}}
	if kind == "stat" && p.red == 0 && p.yellow == 0 {
		steps[0]["color"] = "text"
	}
	if p.yellow != 0 {
		steps = append(steps, object{"color": "orange", "value": p.yellow})
	}
	if p.red != 0 {
		steps = append(steps, object{"color": "red", "value": p.red})
	}
	f := object{
		"unit": p.unit, "min": 0, "thresholds": object{"mode": "absolute", "steps": steps},
		"color": object{"mode": "palette-classic"}, "noValue": "–",
	}
	if kind == "stat" {
		f["color"] = object{"mode": "thresholds"}
	}
	if p.max != 0 {
		f["max"] = p.max
	}
	if kind == "timeseries" {
		custom := object{
			"lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": false,
			"stacking":          object{"mode": "none"},
			"scaleDistribution": object{"type": "linear"},
		}
		if p.stacked {
			custom["fillOpacity"], custom["stacking"] = 35, object{"mode": "normal", "group": "A"}
		}
		if p.log {
			custom["scaleDistribution"], custom["fillOpacity"] = object{"type": "log", "log": 10}, 0
			delete(f, "min")
		}
		f["custom"] = custom
	}
	return f
}

func options(kind string) object {
	switch kind {
	case "stat":
		return object{
			"reduceOptions": object{"calcs": []string{"lastNotNull"}, "fields": "", "values": false},
			"orientation":   "auto", "textMode": "auto", "colorMode": "value", "graphMode": "none",
			"justifyMode": "center", "wideLayout": true,
		}
	case "table":
		return object{"showHeader": true, "cellHeight": "sm"}
	}
	return object{
		"legend":  object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
}
