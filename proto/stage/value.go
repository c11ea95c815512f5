package stage

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	byteSizeType = reflect.TypeFor[ByteSize]()
	listType     = reflect.TypeFor[[]string]()
)

// supported reports whether setText and text can handle the field's type.
func (k *key) supported() bool {
	if k.unmarshaler() != nil {
		_, ok := k.value.Interface().(encoding.TextMarshaler)
		return ok
	}
	switch k.value.Kind() {
	case reflect.String, reflect.Bool, reflect.Float64,
		reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	return k.value.Type() == listType
}

func (k *key) unmarshaler() encoding.TextUnmarshaler {
	u, _ := k.value.Addr().Interface().(encoding.TextUnmarshaler)
	return u
}

// setText sets the value from a flag or the environment. Lists are separated by
// commas; the empty text is the empty list.
func (k *key) setText(text string) error {
	if u := k.unmarshaler(); u != nil {
		return u.UnmarshalText([]byte(text))
	}
	v := k.value
	switch {
	case v.Type() == durationType:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is not a duration: want one such as \"5s\" or \"1h30m\"", text)
		}
		v.SetInt(int64(d))
	case v.Type() == listType:
		list := []string{}
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		v.Set(reflect.ValueOf(list))
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		v.SetBool(b)
	case v.Kind() == reflect.Float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		v.SetFloat(f)
	case v.CanInt():
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return integerError(text, err)
		}
		v.SetInt(n)
	default:
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return integerError(text, err)
		}
		v.SetUint(n)
	}
	return nil
}

func integerError(text string, err error) error {
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is out of range", text)
	}
	if strings.HasPrefix(text, "-") {
		return fmt.Errorf("%q is not a whole number that is 0 or more", text)
	}
	return fmt.Errorf("%q is not a whole number", text)
}

// setTOML sets the value from what the TOML decoder made of it. It is stricter
// than setText: a number in quotes is not a number.
func (k *key) setTOML(value any) error {
	t := k.value.Type()
	isText := k.unmarshaler() != nil || t == durationType || t.Kind() == reflect.String
	switch value := value.(type) {
	case string:
		if isText {
			return k.setText(value)
		}
	case bool:
		if t.Kind() == reflect.Bool {
			k.value.SetBool(value)
			return nil
		}
	case int64:
		if t == byteSizeType || !isText && (k.value.CanInt() || k.value.CanUint() || k.value.CanFloat()) {
			return k.setText(strconv.FormatInt(value, 10))
		}
	case float64:
		if k.value.CanFloat() {
			k.value.SetFloat(value)
			return nil
		}
	case []any:
		if list, ok := stringsOf(value); ok && t == listType {
			k.value.Set(reflect.ValueOf(list))
			return nil
		}
	}
	return fmt.Errorf("want %s", k.kind())
}

func stringsOf(values []any) ([]string, bool) {
	list := make([]string, 0, len(values))
	for _, v := range values {
		s, ok := v.(string)
		if !ok {
			return nil, false
		}
		list = append(list, s)
	}
	return list, true
}

// kind says in words what the setting takes in a file.
func (k *key) kind() string {
	switch t := k.value.Type(); {
	case t == durationType:
		return `a duration in quotes, such as "5s"`
	case t == byteSizeType:
		return `bytes, or a size in quotes such as "64MiB"`
	case t == listType:
		return `a list of strings, ["a", "b"]`
	case k.unmarshaler() != nil || t.Kind() == reflect.String:
		return `a string in quotes`
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Float64:
		return "a number"
	}
	return "a whole number"
}

// text is the value as setText reads it.
func (k *key) text() string {
	if m, ok := k.value.Interface().(encoding.TextMarshaler); ok && k.unmarshaler() != nil {
		b, err := m.MarshalText()
		if err != nil {
			panic(fmt.Sprintf("stage: --%s: default does not marshal: %v", k.flag(), err))
		}
		return string(b)
	}
	if list, ok := k.value.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	text := fmt.Sprint(k.value.Interface())
	if k.value.Type() == durationType { // "1h0m0s" is "1h"
		if s, ok := strings.CutSuffix(text, "m0s"); ok {
			text = s + "m"
		}
		if s, ok := strings.CutSuffix(text, "h0m"); ok {
			text = s + "h"
		}
	}
	return text
}
