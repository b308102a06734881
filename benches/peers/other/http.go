// Go's own HTTP server on one processor, as it comes: it has no time limits by default.
// `routes` starts a ServeMux of a hundred patterns instead, which Go has since 1.22.
package main

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
)

var big = bytes.Repeat([]byte("x"), 1<<20)

func answer(w http.ResponseWriter, body []byte) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body)
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer(w, body)
}

func main() {
	// Go's own threads for system calls come on top.
	runtime.GOMAXPROCS(1)
	mux := http.NewServeMux()
	if len(os.Args) > 1 && os.Args[1] == "routes" {
		for i := 0; i < 100; i++ {
			number := strconv.Itoa(i)
			mux.HandleFunc("GET /route"+number+"/{name}", func(w http.ResponseWriter, r *http.Request) {
				answer(w, []byte(number+" "+r.PathValue("name")))
			})
		}
	} else {
		hello := []byte("Hello, world!")
		mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { answer(w, hello) })
		mux.HandleFunc("GET /big", func(w http.ResponseWriter, r *http.Request) { answer(w, big) })
		mux.HandleFunc("POST /echo", echo)
	}
	// The backlog is net.core.somaxconn.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening %s\n", listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}
