//go:build !amd64

package secp

func mul(z, x, y *Field) { mulGeneric(z, x, y) }

func sqr(z, x *Field, n int) { sqrGeneric(z, x, n) }

func sqrEach(z []Field, n int) { sqrEachGeneric(z, n) }
