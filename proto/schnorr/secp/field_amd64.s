#include "textflag.h"

// FOLD brings R8…R15 (512 bits) below 2²⁵⁶ in R8…R11: the upper half comes back
// multiplied by foldP, then the 34 bits above that, then a last carry, which
// cannot pass R9. Two chains of carries run beside each other, in CF and OF.
#define FOLD \
	MOVQ  $0x1000003D1, DX \
	XORQ  CX, CX           \
	MULXQ R12, AX, BX      \
	ADCXQ AX, R8           \
	ADOXQ BX, R9           \
	MULXQ R13, AX, BX      \
	ADCXQ AX, R9           \
	ADOXQ BX, R10          \
	MULXQ R14, AX, BX      \
	ADCXQ AX, R10          \
	ADOXQ BX, R11          \
	MULXQ R15, AX, R12     \
	ADCXQ AX, R11          \
	ADOXQ CX, R12          \
	ADCXQ CX, R12          \
	MULXQ R12, AX, BX      \
	ADDQ  AX, R8           \
	ADCQ  BX, R9           \
	ADCQ  $0, R10          \
	ADCQ  $0, R11          \
	SBBQ  AX, AX           \
	ANDQ  DX, AX           \
	ADDQ  AX, R8           \
	ADCQ  $0, R9

// ROW adds x (at SI) times DX to the limbs a…d, and e, which is zero, takes the
// carries.
#define ROW(a, b, c, d, e) \
	XORQ  e, e            \
	MULXQ 0(SI), AX, BX   \
	ADCXQ AX, a           \
	ADOXQ BX, b           \
	MULXQ 8(SI), AX, BX   \
	ADCXQ AX, b           \
	ADOXQ BX, c           \
	MULXQ 16(SI), AX, BX  \
	ADCXQ AX, c           \
	ADOXQ BX, d           \
	MULXQ 24(SI), AX, BX  \
	ADCXQ AX, d           \
	ADOXQ BX, e           \
	ADCQ  $0, e

// SQUARE replaces R8…R11 by their square, whose limbs are the products of
// different limbs, in R9…R14, twice, and the squares of each.
#define SQUARE \
	MOVQ  R8, DX         \
	MOVQ  R9, SI         \
	MOVQ  R10, DI        \
	MOVQ  R11, R15       \
	MULXQ SI, R9, R10    \
	MULXQ DI, AX, R11    \
	ADDQ  AX, R10        \
	MULXQ R15, AX, R12   \
	ADCQ  AX, R11        \
	ADCQ  $0, R12        \
	MOVQ  DX, CX         \
	MOVQ  SI, DX         \
	MULXQ DI, AX, BX     \
	XORQ  R13, R13       \
	ADCXQ AX, R11        \
	ADOXQ BX, R12        \
	MULXQ R15, AX, BX    \
	ADCXQ AX, R12        \
	ADOXQ BX, R13        \
	ADCQ  $0, R13        \
	MOVQ  DI, DX         \
	MULXQ R15, AX, R14   \
	ADDQ  AX, R13        \
	ADCQ  $0, R14        \
	MOVQ  CX, DX         \
	XORQ  CX, CX         \
	MULXQ DX, R8, AX     \
	ADCXQ R9, R9         \
	ADOXQ AX, R9         \
	MOVQ  SI, DX         \
	MULXQ DX, AX, BX     \
	ADCXQ R10, R10       \
	ADOXQ AX, R10        \
	ADCXQ R11, R11       \
	ADOXQ BX, R11        \
	MOVQ  DI, DX         \
	MULXQ DX, AX, BX     \
	ADCXQ R12, R12       \
	ADOXQ AX, R12        \
	ADCXQ R13, R13       \
	ADOXQ BX, R13        \
	MOVQ  R15, DX        \
	MULXQ DX, AX, R15    \
	ADCXQ R14, R14       \
	ADOXQ AX, R14        \
	ADCXQ CX, R15        \
	ADOXQ CX, R15        \
	FOLD

// func mul(z, x, y *Field)
TEXT ·mul(SB), NOSPLIT, $0-24
	CMPB ·hasADX(SB), $1
	JNE  generic
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DI

	MOVQ  0(DI), DX
	MULXQ 0(SI), R8, R9
	MULXQ 8(SI), AX, R10
	ADDQ  AX, R9
	MULXQ 16(SI), AX, R11
	ADCQ  AX, R10
	MULXQ 24(SI), AX, R12
	ADCQ  AX, R11
	ADCQ  $0, R12

	MOVQ 8(DI), DX
	ROW(R9, R10, R11, R12, R13)
	MOVQ 16(DI), DX
	ROW(R10, R11, R12, R13, R14)
	MOVQ 24(DI), DX
	ROW(R11, R12, R13, R14, R15)

	FOLD
	MOVQ z+0(FP), DI
	MOVQ R8, 0(DI)
	MOVQ R9, 8(DI)
	MOVQ R10, 16(DI)
	MOVQ R11, 24(DI)
	RET

generic:
	JMP ·mulGeneric(SB)

// func sqr(z, x *Field, n int)
TEXT ·sqr(SB), NOSPLIT, $0-24
	CMPB ·hasADX(SB), $1
	JNE  generic
	MOVQ x+8(FP), SI
	MOVQ 0(SI), R8
	MOVQ 8(SI), R9
	MOVQ 16(SI), R10
	MOVQ 24(SI), R11

loop:
	SQUARE
	DECQ n+16(FP)
	JNZ  loop

	MOVQ z+0(FP), DI
	MOVQ R8, 0(DI)
	MOVQ R9, 8(DI)
	MOVQ R10, 16(DI)
	MOVQ R11, 24(DI)
	RET

generic:
	JMP ·sqrGeneric(SB)

// func sqrEachADX(z *Field, count, n int)
//
// The numbers are squared in turn, so that the processor works on several at a
// time: one square waits for the one before it, not for its neighbour's.
TEXT ·sqrEachADX(SB), NOSPLIT, $16-24
round:
	MOVQ z+0(FP), DI
	MOVQ count+8(FP), CX
	MOVQ CX, left-16(SP)

each:
	MOVQ DI, at-8(SP)
	MOVQ 0(DI), R8
	MOVQ 8(DI), R9
	MOVQ 16(DI), R10
	MOVQ 24(DI), R11
	SQUARE
	MOVQ at-8(SP), DI
	MOVQ R8, 0(DI)
	MOVQ R9, 8(DI)
	MOVQ R10, 16(DI)
	MOVQ R11, 24(DI)
	ADDQ $32, DI
	DECQ left-16(SP)
	JNZ  each

	DECQ n+16(FP)
	JNZ  round
	RET
