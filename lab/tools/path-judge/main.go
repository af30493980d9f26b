// How programs in Go read a path; the protocol is that of lab/tests/spellings/decoders.py: a line of JSON in, which is a path as it
// stands on the wire with each byte as one character, and a line out: {decoder: what it takes the path for}, or null where it refuses.
package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
)

// An error is a refusal.
var decoders = map[string]func(target string) (string, error){
	// net/http, and routers that look at URL.Path
	"http": decoded,
	// http.FileServer, and handlers that clean the path themselves
	"clean": func(target string) (string, error) {
		read, err := decoded(target)
		return path.Clean("/" + read), err
	},
	// a gateway behind the gateway decodes first
	"twice": func(target string) (string, error) {
		read, err := decoded(target)
		if err != nil {
			return "", err
		}
		return url.PathUnescape(read)
	},
}

func decoded(target string) (string, error) {
	wire := "GET " + target + " HTTP/1.1\r\nHost: host.example\r\n\r\n"
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	if err != nil {
		return "", err
	}
	return request.URL.Path, nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var line string
		check(json.Unmarshal(lines.Bytes(), &line))
		answer := map[string]*string{}
		for name, decode := range decoders {
			answer[name] = nil
			if read, err := decode(bytes(line)); err == nil {
				text := characters(read)
				answer[name] = &text
			}
		}
		check(answers.Encode(answer))
	}
	check(lines.Err())
}

// Each character is one byte.
func bytes(text string) string {
	var wire []byte
	for _, character := range text {
		wire = append(wire, byte(character))
	}
	return string(wire)
}

func characters(wire string) string {
	var text []rune
	for i := range len(wire) {
		text = append(text, rune(wire[i]))
	}
	return string(text)
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
