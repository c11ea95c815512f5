package show

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"rhea/proto/subject"
	"rhea/rhea/tap"
	"rhea/rhea/tap/decode"
	"rhea/rhea/tap/words"
)

// Options say what to show and how.
type Options struct {
	Filter Filter
	JSON   bool
	Live   bool // flush after every line
}

// Result is what was read.
type Result struct {
	Shown   int // lines
	Damaged int // pieces left out
}

// Run prints a recording from where r stands to its end. The error is the recording's
// (*tap.CutError) or that of w. Pieces that are damaged are told in their place.
func Run(r *tap.Reader, w io.Writer, o Options) (Result, error) {
	p := &printer{
		out: bufio.NewWriterSize(w, 64<<10), o: o, header: r.Header(), asked: newAsked(),
		root: r.Header().Prefix + "." + subject.Version + ".",
	}
	if o.Filter == (Filter{}) {
		p.begin()
	}
	r.Note = p.note
	for p.err == nil {
		m, err := r.Next()
		damage, damaged := errors.AsType[*tap.DamageError](err)
		switch {
		case damaged:
			p.result.Damaged++
			p.remark(map[string]any{"damaged": damage.Bytes, "from": damage.At}, "# %v", damage)
		case err != nil:
			return p.result, errors.Join(p.flush(), end(err))
		default:
			p.message(m)
		}
	}
	return p.result, p.err
}

// end is what a reader's last error is here.
func end(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// printer prints one recording. It belongs to one goroutine.
type printer struct {
	out    *bufio.Writer
	o      Options
	header tap.Header
	root   string // what the subjects begin with
	asked  *asked
	result Result
	err    error // of out
}

// begin prints what the recording says of itself.
func (p *printer) begin() {
	h := p.header
	text := []string{fmt.Sprintf("# recorded from %s on %s · rhea %s · %d shards · %s", h.Started.UTC().Format("2006-01-02 15:04:05.000 MST"), or(h.Host, "a machine without a name"),
		or(h.Version, "of no version"), h.Shards, strings.Join(h.Subjects, ", "))}
	if len(h.Redacted) > 0 {
		text = append(text, "# redacted: "+strings.Join(h.Redacted, ", "))
	}
	for _, m := range h.Members {
		line := fmt.Sprintf("# there was %s %s", m.Stage, m.Instance)
		if m.Host != "" {
			line += " on " + m.Host
		}
		if len(m.Owned) > 0 {
			line += fmt.Sprintf(", %d shards", len(m.Owned))
		}
		if m.Seq > 0 {
			line += fmt.Sprintf(", Seq %d", m.Seq)
		}
		text = append(text, line)
	}
	p.remark(map[string]any{"recording": h}, "%s", strings.Join(text, "\n"))
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// note prints what the recorder had to say.
func (p *printer) note(n tap.Note) {
	if !p.o.Filter.within(n.At, p.header.Started) {
		return
	}
	text := n.Kind.String()
	if n.Count > 0 {
		text += fmt.Sprintf(" %d messages", n.Count)
	}
	if n.Text != "" {
		text += ": " + n.Text
	}
	p.remark(map[string]any{"at": n.At.UTC(), "note": n.Kind.String(), "count": n.Count, "text": n.Text}, "# %9.6f  %s", p.offset(n.At), text)
}

// remark prints what is no message.
func (p *printer) remark(object map[string]any, format string, args ...any) {
	if !p.o.JSON {
		fmt.Fprintf(p.out, format+"\n", args...)
	} else if text, err := json.Marshal(object); err == nil { // strings and numbers always do
		p.out.Write(append(text, '\n'))
	}
	p.printed()
}

func (p *printer) offset(at time.Time) float64 { return at.Sub(p.header.Started).Seconds() }

// message prints what a bus message holds, as far as it is asked for.
func (p *printer) message(m tap.Message) {
	s := decode.Message(p.header.Prefix, m.Subject, m.Data)
	subj := strings.TrimPrefix(m.Subject, p.root)
	wanted := p.o.Filter.within(m.At, p.header.Started) && (p.o.Filter.Subject == "" || covers(p.o.Filter.Subject, subj))
	for _, said := range s.Messages {
		body := decode.Body(said)
		conns := p.asked.conns(s, body) // learns, even from what is not shown
		if wanted && p.o.Filter.wants(body, conns) {
			p.result.Shown++
			p.print(m, s, subj, body, conns)
		}
	}
	if s.Err != nil && wanted && p.o.Filter.wants(nil, nil) {
		p.result.Shown++
		p.garbled(m, s, subj)
	}
}

func (p *printer) print(m tap.Message, s decode.Said, subj string, body proto.Message, conns []subject.ConnID) {
	if p.o.JSON {
		p.object(m, s, conns, `"message":"`+words.Name(body)+`","body":`, words.AppendJSON(nil, body))
		return
	}
	line := words.Line(body)
	if _, own := words.Conn(body); !own && len(conns) > 0 {
		line = "conn=" + join(conns) + " " + line
	}
	p.line(m, s, subj, words.Name(body), line)
}

// garbled prints that a bus message, or the rest of it, is not of the contract.
func (p *printer) garbled(m tap.Message, s decode.Said, subj string) {
	if p.o.JSON {
		text, _ := json.Marshal(s.Err.Error()) // a string always does
		p.object(m, s, nil, `"error":`, text)
		return
	}
	p.line(m, s, subj, "?", fmt.Sprintf("%d bytes do not decode: %v", len(m.Data), s.Err))
}

// line prints a line. Of a reply's subject the part that is drawn by lot is left out.
func (p *printer) line(m tap.Message, s decode.Said, subj, name, text string) {
	if asker, _, ok := strings.Cut(s.Key, "."); ok && s.Inbox == "reply" {
		subj = "reply." + asker
	}
	late := strings.Repeat(" ", 9)
	if !s.Sent.IsZero() {
		late = fmt.Sprintf("%6.3f ms", float64(m.At.Sub(s.Sent).Microseconds())/1e3)
	}
	fmt.Fprintln(p.out, strings.TrimRight(fmt.Sprintf("%11.6f  %s  %-15s %-11s %s", p.offset(m.At), late, subj, name, text), " "))
	p.printed()
}

// object prints a JSON object; more is its last member's name, and value that.
func (p *printer) object(m tap.Message, s decode.Said, conns []subject.ConnID, more string, value []byte) {
	head := struct {
		At      time.Time `json:"at"`
		Offset  float64   `json:"offset"`               // seconds since the beginning
		Late    *float64  `json:"on_the_way,omitempty"` // seconds; absent without a stamp
		Subject string    `json:"subject"`
		Reply   string    `json:"reply,omitempty"`
		Conns   []string  `json:"conns,omitempty"`
	}{At: m.At.UTC(), Offset: p.offset(m.At), Subject: m.Subject, Reply: m.Reply}
	if !s.Sent.IsZero() {
		late := m.At.Sub(s.Sent).Seconds()
		head.Late = &late
	}
	for _, c := range conns {
		head.Conns = append(head.Conns, c.String())
	}
	text, _ := json.Marshal(head) // nanoseconds reach no year that has more than four digits
	p.out.Write(append(append(append(text[:len(text)-1:len(text)-1], ","+more...), value...), "}\n"...))
	p.printed()
}

func join(conns []subject.ConnID) string {
	var list []string
	for _, c := range conns {
		list = append(list, c.String())
	}
	return strings.Join(list, ",")
}

// printed notices when nobody takes what is printed.
func (p *printer) printed() {
	if p.o.Live {
		p.err = p.flush()
	} else if _, err := p.out.Write(nil); err != nil { // the writer's, which stays
		p.err = err
	}
}

func (p *printer) flush() error { return p.out.Flush() }
