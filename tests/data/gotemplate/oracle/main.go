// Command oracle renders templates with Go's own text/template, for comparison with corepilot.gotemplate.
//
// It reads one JSON object a line, {"t": template, "e": {name: value}}, and answers each with one line:
// {"o": output}, {"x": output as hexadecimal bytes} where the output is not UTF-8, or
// {"err": text, "line": n, "column": n, "phase": "parse" | "execute"}; a line or column of 0 is one that Go does not tell.
// The seven extra functions follow the ContainerPilot contract, section 2.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"unicode/utf8"
)

type question struct {
	Template    string            `json:"t"`
	Environment map[string]string `json:"e"`
}

type answer struct {
	Output *string `json:"o,omitempty"`
	Hex    string  `json:"x,omitempty"`
	Error  string  `json:"err,omitempty"`
	Line   int     `json:"line,omitempty"`
	Column int     `json:"column,omitempty"`
	Phase  string  `json:"phase,omitempty"`
}

// place finds the "template: name:line:column:" that starts an error; the main template has no name.
var place = regexp.MustCompile(`^(?:template: )+[^:\n]*:(\d+)(?::(\d+))?:`)

func fallback(instead, value any) string {
	if text, ok := value.(string); ok && text != "" {
		return text
	}
	return fmt.Sprintf("%v", instead)
}

func split(separator, text string) []string {
	text = strings.TrimSpace(text)
	if text == "" {
		return []string{}
	}
	return strings.Split(text, separator)
}

func join(separator string, list []string) string {
	return strings.Join(list, separator)
}

func replaceAll(from, to, text string) string {
	return strings.ReplaceAll(text, from, to)
}

func regexReplaceAll(pattern, to, text string) (string, error) {
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return "", err
	}
	return compiled.ReplaceAllString(text, to), nil
}

func bound(value any) (int, error) {
	switch value := value.(type) {
	case int:
		return value, nil
	case string:
		return strconv.Atoi(value)
	}
	return 0, fmt.Errorf("loop takes integers or numeric strings, not %T", value)
}

func loop(bounds ...any) ([]int, error) {
	if len(bounds) < 1 || len(bounds) > 2 {
		return nil, fmt.Errorf("loop takes one or two bounds, not %d", len(bounds))
	}
	var limits []int
	for _, value := range bounds {
		limit, err := bound(value)
		if err != nil {
			return nil, err
		}
		limits = append(limits, limit)
	}
	from, to := 0, limits[0]
	if len(limits) == 2 {
		from, to = limits[0], limits[1]
	}
	size, step := to-from, 1
	if to < from {
		size, step = from-to, -1
	}
	list := make([]int, size)
	for i := range list {
		list[i] = from + i*step
	}
	return list, nil
}

func failed(err error, phase string) answer {
	reply := answer{Error: err.Error(), Phase: phase}
	if found := place.FindStringSubmatch(err.Error()); found != nil {
		reply.Line, _ = strconv.Atoi(found[1])
		reply.Column, _ = strconv.Atoi(found[2])
	}
	return reply
}

func render(ask question) answer {
	functions := template.FuncMap{
		"default":         fallback,
		"env":             func(name string) string { return ask.Environment[name] },
		"split":           split,
		"join":            join,
		"replaceAll":      replaceAll,
		"regexReplaceAll": regexReplaceAll,
		"loop":            loop,
	}
	parsed, err := template.New("").Funcs(functions).Option("missingkey=zero").Parse(ask.Template)
	if err != nil {
		return failed(err, "parse")
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, ask.Environment); err != nil {
		return failed(err, "execute")
	}
	text := out.String()
	if !utf8.ValidString(text) {
		return answer{Hex: hex.EncodeToString(out.Bytes())}
	}
	return answer{Output: &text}
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 1<<20), 1<<26)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for lines.Scan() {
		ask := question{Environment: map[string]string{}}
		if err := json.Unmarshal(lines.Bytes(), &ask); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := encoder.Encode(render(ask)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
