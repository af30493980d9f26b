// The app of the kind cluster, one static program:
//
//	echo                                    answers every request on $PORT (8080) with 200 and, as JSON, the request it got
//	echo get [-H 'name: value']… URL        makes one request and prints {"status", "headers", "body"}; fails when none came
//
// The JSON of a request is that of `lab::Echo`: {"method", "path", "headers": [[name, value], …]}, names in lower case, each
// byte one character of the same number. Lines of one name keep their order; names are sorted, as net/http forgets theirs.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

type echoed struct {
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	Headers [][2]string `json:"headers"`
}

type answer struct {
	Status  int         `json:"status"`
	Headers [][2]string `json:"headers"`
	Body    string      `json:"body"`
}

func main() {
	var err error
	if len(os.Args) > 1 && os.Args[1] == "get" {
		err = get(os.Args[2:])
	} else {
		err = serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "echo:", err)
		os.Exit(1)
	}
}

func serve() error {
	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	server := http.Server{Addr: ":" + port, Handler: http.HandlerFunc(echo), ReadHeaderTimeout: 10 * time.Second}
	return server.ListenAndServe()
}

func echo(writer http.ResponseWriter, request *http.Request) {
	headers := append(lines(request.Header), [2]string{"host", request.Host})
	writer.Header().Set("content-type", "application/json")
	// A client that went away is no error of the echo's.
	_ = json.NewEncoder(writer).Encode(echoed{request.Method, characters(request.RequestURI), headers})
}

func get(arguments []string) error {
	flags := flag.NewFlagSet("get", flag.ExitOnError)
	headers := http.Header{}
	flags.Func("H", "a header, `name: value`", func(line string) error {
		name, value, found := strings.Cut(line, ":")
		if !found {
			return fmt.Errorf("found %q, expected `name: value`", line)
		}
		headers.Add(name, strings.TrimSpace(value))
		return nil
	})
	_ = flags.Parse(arguments) // ExitOnError
	request, err := http.NewRequest(http.MethodGet, flags.Arg(0), nil)
	if err != nil {
		return err
	}
	request.Header, request.Host = headers, headers.Get("host")
	client := http.Client{
		Timeout: 10 * time.Second,
		// What is sent is what was asked for, and an answer is the first one.
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(answer{response.StatusCode, lines(response.Header), characters(string(body))})
}

// One pair for each line, sorted by name.
func lines(headers http.Header) [][2]string {
	all := [][2]string{}
	for name, values := range headers {
		for _, value := range values {
			all = append(all, [2]string{characters(strings.ToLower(name)), characters(value)})
		}
	}
	slices.SortStableFunc(all, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return all
}

// Each byte as the character of the same number, so that bytes that are no UTF-8 survive JSON.
func characters(bytes string) string {
	runes := make([]rune, 0, len(bytes))
	for i := range len(bytes) {
		runes = append(runes, rune(bytes[i]))
	}
	return string(runes)
}
