package secp

import "golang.org/x/sys/cpu"

// hasADX says that the processor has MULX, ADCX and ADOX (Intel since
// Broadwell, AMD since Zen). Without them the assembly jumps to the portable
// code.
var hasADX = cpu.X86.HasADX && cpu.X86.HasBMI2

// mul sets z = x·y.
//
//go:noescape
func mul(z, x, y *Field)

// sqr sets z to x squared n times over; n is at least 1.
//
//go:noescape
func sqr(z, x *Field, n int)

// sqrEachADX squares the count numbers from z on n times over; both are at
// least 1.
//
//go:noescape
func sqrEachADX(z *Field, count, n int)

// sqrEach squares every number n times over; n and the numbers are at least 1.
func sqrEach(z []Field, n int) {
	if hasADX {
		sqrEachADX(&z[0], len(z), n)
		return
	}
	sqrEachGeneric(z, n)
}
