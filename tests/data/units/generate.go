// Prints answers.jsonl, what Go says about the texts and numbers below: go run generate.go > answers.jsonl
//
// "duration": time.ParseDuration, in nanoseconds. "bare": the same after ContainerPilot's rule that text which
// strconv.Atoi takes is seconds. "format": time.Duration.String. "int", "bool", "float": what the library mapstructure
// calls for fields with weak typing: ParseInt(text, 0, 64), ParseBool, FormatFloat(number, 'f', -1, 64).
package main

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"time"
)

var durations = strings.Split(`|0|-0|+0|00|1|10|-5|+5|010|007s|1_000|0x10|1e3|1.0|1.5|-1.5|.|-|+|--1s|+-1s|- 1s| 1s|1s |1 s|1s 1m|s|.s|-.s|1.|1.s|.5s|0.s|0.0s|+.5s|-.5s`+
	`|5s|30s|1h|1m|1ms|1us|1µs|1μs|1ns|1S|1M|1H|1MS|1d|1w|1y|1sec|1min|1hour|1h30m|1m30s|1h2m3s4ms5us6ns|3s2h|1s1s|1.5h|1.5h.5h|-1.5h|-1h30m|1h-30m|0.1ms|0.1us|0.1ns|0.9ns`+
	`|1.000000001s|1.0000000001s|0.3333333333333333333h|0.100000000000000000000h|0.9223372036854775807s|0.9223372036854775808s|0.9223372036854775809s|0.99999999999999999999999h`+
	`|9223372036s|9223372037s|9223372036|9223372037|-9223372036|-9223372037|9223372036854775807ns|9223372036854775808ns|-9223372036854775808ns|-9223372036854775809ns|9223372036.854775807s|9223372036.854775808s|-9223372036.854775808s`+
	`|9223372036854775.807us|2562047h47m16.854775807s|2562047h47m16.854775808s|-2562047h47m16.854775808s|2562048h|153722867m|153722868m|9223372036854775808|-9223372036854775808|99999999999999999999|18446744073709551616ns|0000000000000000000000000000001s`+
	`|1,5s|1:30|PT5S|never|unlimited|asf|20yy|5 minutes|1h 30m|٣s|１s|1ｓ|1`+"\x00"+`s|1s`+"\n"+`|inf|NaN|Infinity|1..5s|1.5.5s|1.5s.|1.5s.5|.5.5s|1s.5ms|ms|1nss|1n|1u|1µ|0h|0m|0us|0x1s|1e3s|1h1|1h1.5|0.5|00.5s|1s0|1s00|0s0|100000000000000000000000000s`, "|")

var ints = strings.Split(`|0|1|-1|+1|10|007|010|0777|08|0o10|0O10|0b101|0B2|0x10|0X1f|0xG|0x|0b|0o|-0x10|+0x10|-010|1_000|1__0|_1|1_|0x_10|0x1_0|0_10|0_|00|000|-0|1.0|1e3| 1|1 |1`+"\n"+`|- 1|--1|0x1.8p1|1s|7s|abc|true|١|１|9223372036854775807|9223372036854775808|-9223372036854775808|-9223372036854775809|0x7fffffffffffffff|0x8000000000000000|-0x8000000000000000|0b_1|0o_7|0_1_0|1_0_0|0__1|00o7|0x0x1|99999999999999999999999`, "|")

var bools = strings.Split(`|0|1|2|-1|t|T|true|TRUE|True|tRUE|TrUe|f|F|false|FALSE|False|yes|no|on|off|y|n|Y| true|true |null`, "|")

var floats = []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 0.5, 1.5, 100, 1e3, 1e15, 1e16, 1e17, 123456789012345678, 1e20, 1e21, 1e22, 1.5e21, 1e300, 1.7976931348623157e308, 5e-324, 1e-5, 1.5e-5, 1e-4, 1e-7, -1e-7, 1.0 / 3, 2.0 / 3, 1e6, 1234567.891, 8080, -8080.25, 9007199254740993, math.Inf(1), math.Inf(-1), math.NaN()}

var formats = []int64{0, 1, -1, 999, 1000, 1001, 1500, 999999, 1000000, 1100000, 1000001, 999999999, 1000000000, -1000000000, 1500000000, 59999999999, 60000000000, 90000000000, 3600000000000, 3599999999999, 5400000000000, 86400000000000, 90061001001001, 9007199254740991, 2000000000000001, -90000000000, 500000000, 20000, 1000000001}

func put(kind string, in any, out any, err error) {
	row := map[string]any{"kind": kind, "in": in}
	if err != nil {
		row["error"] = err.Error()
	} else {
		row["out"] = out
	}
	line, err := json.Marshal(row)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, string(line))
}

// bare is ContainerPilot's config/timing.ParseDuration for strings.
func bare(text string) (time.Duration, error) {
	if i, err := strconv.Atoi(text); err == nil {
		return time.ParseDuration(fmt.Sprintf("%ds", i))
	}
	return time.ParseDuration(text)
}

func random(r *rand.Rand) string {
	units := []string{"ns", "us", "µs", "ms", "s", "m", "h"}
	text := []string{"", "", "-", "+"}[r.Intn(4)]
	for n := 1 + r.Intn(3); n > 0; n-- {
		whole := strconv.FormatInt(r.Int63n(int64(math.Pow10(1+r.Intn(12)))), 10)
		fraction := strings.Repeat(strconv.Itoa(r.Intn(10)), r.Intn(3)) + strconv.FormatInt(r.Int63n(int64(math.Pow10(1+r.Intn(18)))), 10)
		text += []string{whole, whole, whole + ".", "." + fraction, whole + "." + fraction}[r.Intn(5)] + units[r.Intn(len(units))]
	}
	return text
}

func main() {
	r := rand.New(rand.NewSource(1))
	for n := 0; n < 300; n++ {
		durations = append(durations, random(r))
		formats = append(formats, r.Int63n(int64(math.Pow10(1+r.Intn(15)))))
	}
	for _, text := range durations {
		d, err := time.ParseDuration(text)
		put("duration", text, int64(d), err)
		d, err = bare(text)
		put("bare", text, int64(d), err)
	}
	for _, ns := range formats {
		put("format", ns, time.Duration(ns).String(), nil)
	}
	for _, text := range ints {
		i, err := strconv.ParseInt(text, 0, 64)
		put("int", text, i, err)
	}
	for _, text := range bools {
		b, err := strconv.ParseBool(text)
		put("bool", text, b, err)
	}
	for _, f := range floats {
		put("float", strconv.FormatFloat(f, 'g', -1, 64), strconv.FormatFloat(f, 'f', -1, 64), nil)
	}
}
