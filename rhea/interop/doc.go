// Package interop holds the tests that compare Rhea's protocol code, byte by
// byte, with implementations that others wrote. They are here so that no other
// module depends on those.
package interop
