package words

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"rhea/proto/subject"
)

// Conn returns the connection that a message belongs to, if it says so.
func Conn(m proto.Message) (subject.ConnID, bool) {
	r := m.ProtoReflect()
	f := r.Descriptor().Fields().ByName("conn")
	if f == nil || f.Kind() != protoreflect.Fixed64Kind || !r.Has(f) {
		return 0, false
	}
	return subject.ConnID(r.Get(f).Uint()), true
}

// Nums returns the numbers of the questions that a message asks or answers.
func Nums(m proto.Message) (nums []uint64) { return appendNums(nil, m.ProtoReflect()) }

func appendNums(nums []uint64, m protoreflect.Message) []uint64 {
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap():
		case f.Kind() == protoreflect.Uint64Kind && f.IsList() && (f.Name() == "nums" || f.Name() == "watching"):
			for i := range v.List().Len() {
				nums = append(nums, v.List().Get(i).Uint())
			}
		case f.Kind() == protoreflect.Uint64Kind && f.Name() == "num":
			nums = append(nums, v.Uint())
		case f.Kind() == protoreflect.MessageKind && f.IsList():
			for i := range v.List().Len() {
				nums = appendNums(nums, v.List().Get(i).Message())
			}
		case f.Kind() == protoreflect.MessageKind:
			nums = appendNums(nums, v.Message())
		}
		return true
	})
	return nums
}
