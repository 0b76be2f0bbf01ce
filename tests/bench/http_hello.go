// The same with Go's net/http, on one processor as the others.
package main

import (
	"io"
	"net/http"
	"os"
	"runtime"
)

func main() {
	runtime.GOMAXPROCS(1)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "Hello, world!")
	})
	http.ListenAndServe("127.0.0.1:"+os.Args[1], nil)
}
