package frame

import (
	"encoding/hex"
	"strconv"
	"strings"

	"rhea/proto/nostr"
	"rhea/proto/nostr/strictjson"
)

// AppendOK appends ["OK",id,accepted,msg]. When accepted is false, msg must be
// "prefix: text" (NIP-01).
func AppendOK(dst []byte, id nostr.EventID, accepted bool, msg string) []byte {
	dst = append(dst, `["OK","`...)
	dst = hex.AppendEncode(dst, id[:])
	return appendVerdict(append(dst, '"'), accepted, msg)
}

// AppendOKText is AppendOK for an id as the client sent it (EventIDOf), which
// may not be one.
func AppendOKText(dst []byte, id string, accepted bool, msg string) []byte {
	return appendVerdict(appendText(append(dst, `["OK",`...), id), accepted, msg)
}

func appendVerdict(dst []byte, accepted bool, msg string) []byte {
	dst = append(dst, ',')
	dst = strconv.AppendBool(dst, accepted)
	return append(appendText(append(dst, ','), msg), ']')
}

// EventPrefix returns ["EVENT","<sub>", — what stands before the JSON of an
// event. The closing bracket is the caller's.
func EventPrefix(sub SubID) []byte { return AppendEventPrefix(nil, sub) }

// AppendEventPrefix appends what EventPrefix returns.
func AppendEventPrefix(dst []byte, sub SubID) []byte {
	return append(appendText(append(dst, `["EVENT",`...), string(sub)), ',')
}

// AppendEvent appends ["EVENT",sub,event]; event must be the JSON of one.
func AppendEvent(dst []byte, sub SubID, event []byte) []byte {
	dst = AppendEventPrefix(dst, sub)
	dst = append(dst, event...)
	return append(dst, ']')
}

// AppendEOSE appends ["EOSE",sub] (NIP-01), with hints the third element of
// NIP-67: "finish" when every stored match was sent, "more" when not.
func AppendEOSE(dst []byte, sub SubID, hints ...string) []byte {
	dst = appendText(append(dst, `["EOSE",`...), string(sub))
	if len(hints) > 0 {
		dst = append(dst, `,[`...)
		for i, hint := range hints {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendText(dst, hint)
		}
		dst = append(dst, ']')
	}
	return append(dst, ']')
}

// AppendClosed appends ["CLOSED",sub,msg]; msg must be "prefix: text".
func AppendClosed(dst []byte, sub SubID, msg string) []byte {
	return appendPair(append(dst, `["CLOSED",`...), string(sub), msg)
}

// AppendNotice appends ["NOTICE",msg].
func AppendNotice(dst []byte, msg string) []byte {
	return append(appendText(append(dst, `["NOTICE",`...), msg), ']')
}

// AppendAuth appends ["AUTH",challenge] (NIP-42).
func AppendAuth(dst []byte, challenge string) []byte {
	return append(appendText(append(dst, `["AUTH",`...), challenge), ']')
}

// CountResult answers a COUNT (NIP-45).
type CountResult struct {
	Count       uint64
	Approximate bool
	HLL         *[256]byte // registers; nil if there are none to send
}

// AppendCount appends ["COUNT",sub,{"count":n,…}] (NIP-45).
func AppendCount(dst []byte, sub SubID, r CountResult) []byte {
	dst = appendText(append(dst, `["COUNT",`...), string(sub))
	dst = append(dst, `,{"count":`...)
	dst = strconv.AppendUint(dst, r.Count, 10)
	if r.Approximate {
		dst = append(dst, `,"approximate":true`...)
	}
	if r.HLL != nil {
		dst = append(dst, `,"hll":"`...)
		dst = hex.AppendEncode(dst, r.HLL[:])
		dst = append(dst, '"')
	}
	return append(dst, '}', ']')
}

// AppendNegMsg appends ["NEG-MSG",sub,hex] with the hex of a message (NIP-77).
func AppendNegMsg(dst []byte, sub SubID, message []byte) []byte {
	dst = appendText(append(dst, `["NEG-MSG",`...), string(sub))
	dst = append(dst, ',', '"')
	dst = hex.AppendEncode(dst, message)
	return append(dst, '"', ']')
}

// AppendNegErr appends ["NEG-ERR",sub,msg]; msg must be "prefix: text"
// (NIP-77).
func AppendNegErr(dst []byte, sub SubID, msg string) []byte {
	return appendPair(append(dst, `["NEG-ERR",`...), string(sub), msg)
}

// AppendNegErrMax appends ["NEG-ERR",sub,msg,most], which tells the client how
// many records a session may have (NIP-77, blocked:).
func AppendNegErrMax(dst []byte, sub SubID, msg string, most int) []byte {
	dst = AppendNegErr(dst, sub, msg)
	dst = append(dst[:len(dst)-1], ',')
	return append(strconv.AppendInt(dst, int64(most), 10), ']')
}

func appendPair(dst []byte, sub, msg string) []byte {
	dst = append(appendText(dst, sub), ',')
	return append(appendText(dst, msg), ']')
}

// appendText appends s as a JSON string. A text message must be UTF-8
// (RFC 6455), so what is not becomes U+FFFD.
func appendText(dst []byte, s string) []byte {
	return strictjson.AppendString(dst, strings.ToValidUTF8(s, "\uFFFD"))
}
