package negentropy

// Config is section [negentropy]. It has no settings as long as no session is
// accepted.
type Config struct{}

// DefaultConfig is the zero value.
func DefaultConfig() Config { return Config{} }

// Validate finds nothing wrong.
func (Config) Validate() error { return nil }
