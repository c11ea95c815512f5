package gateway

import (
	"fmt"
	"net/netip"

	"rhea/gateway/deflate"
	"rhea/proto/limits"
	"rhea/proto/nostr"
	"rhea/proto/policy"
	"rhea/proto/stage"
)

// front is what HTTP requests are answered with. It is replaced as a whole.
type front struct {
	information []byte
	landing     []byte
	proxies     []netip.Prefix
	deflate     bool // is accepted
}

func newFront(cfg *Config, env *stage.Env) (f *front, err error) {
	f = &front{deflate: cfg.Deflate != deflate.Off}
	if f.proxies, err = cfg.proxies(); err != nil {
		return nil, err
	}
	info := newInformation(cfg, env)
	if f.information, err = info.json(); err != nil {
		return nil, fmt.Errorf("gateway: relay information: %w", err)
	}
	if f.landing, err = renderLanding(info, env.Policy.URLs); err != nil {
		return nil, err
	}
	return f, nil
}

func limitsOfSockets(c *Config, l *limits.Limits) socketLimits {
	return socketLimits{maxMessage: l.MaxMessageLength, maxOutbound: int(c.MaxOutbound)}
}

// reload goes by other settings, in the goroutine of the core. A limit that is lower
// now holds for what is asked from now on; connections and subscriptions that are
// above it stay.
func (g *gateway) reload(c *core, env stage.Env, s stage.Settings) {
	cfg := stage.Section[Config](s)
	cfg.Relay, cfg.Ready, cfg.Goroutines = stage.Section[Relay](s), g.config.Ready, g.config.Goroutines
	env.Limits, env.Policy = stage.Section[limits.Limits](s), stage.Section[policy.Policy](s)
	f, err := newFront(&cfg, &env)
	if err != nil {
		g.log.Error("the settings stay as they are", "err", err)
		return
	}
	g.front.Store(f)
	g.hub.limits = limitsOfSockets(&cfg, &env.Limits)
	g.door.resize(cfg.MaxConnections, cfg.MaxPerAddress)
	g.config = cfg
	c.SetRules(&cfg, &env.Limits, &env.Policy)
}

// SetRules changes what the core goes by. Clients that are to authenticate now are
// told so; where nothing works without it any more, what strangers have open ends.
func (c *core) SetRules(config *Config, l *limits.Limits, p *policy.Policy) {
	before := c.policy.Auth
	c.config, c.limits, c.policy = config, l, p
	c.packing.set(config)
	if p.Auth == before || p.Auth == policy.AuthNeeded {
		return
	}
	for _, cn := range c.conns {
		c.challenge(cn)
	}
	why := nostr.AuthRequired.Text(strangersUnwanted)
	for _, s := range c.sorted(func(s *sub) bool { return c.stranger(s.conn) }) {
		c.closeSub(s, why)
	}
	for _, n := range c.sortedCounts() {
		if c.stranger(n.conn) {
			c.dropCount(n, true)
			c.sayClosed(n.conn, n.id, why)
		}
	}
	for _, s := range c.sessions {
		if c.stranger(s.conn) {
			c.failSession(s, why)
		}
	}
}

// strangersUnwanted is what a client hears that must authenticate before anything else.
const strangersUnwanted = "this relay serves nobody who has not authenticated"
