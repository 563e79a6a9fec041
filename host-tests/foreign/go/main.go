// The greeter in Go (the standard compiler, 1.24 or later) without an SDK: ABI 0.2.1, WASI reactor.
package main

import (
	"encoding/binary"
	"fmt"
	"unsafe"
)

//go:wasmimport env proxy_get_buffer_bytes
func getBufferBytes(buffer, start, most uint32, at, size *uint32) uint32

//go:wasmimport env proxy_set_buffer_bytes
func setBufferBytes(buffer, start, size uint32, at unsafe.Pointer, length uint32) uint32

//go:wasmimport env proxy_get_header_map_value
func getHeader(headers uint32, name unsafe.Pointer, nameSize uint32, at, size *uint32) uint32

//go:wasmimport env proxy_replace_header_map_value
func replaceHeader(headers uint32, name unsafe.Pointer, nameSize uint32, value unsafe.Pointer, size uint32) uint32

//go:wasmimport env proxy_remove_header_map_value
func removeHeader(headers uint32, name unsafe.Pointer, nameSize uint32) uint32

//go:wasmimport env proxy_send_local_response
func sendLocalResponse(code uint32, details unsafe.Pointer, detailsSize uint32, body unsafe.Pointer, bodySize uint32, headers unsafe.Pointer, headersSize uint32, grpcStatus int32) uint32

//go:wasmimport env proxy_define_metric
func defineMetric(kind uint32, name unsafe.Pointer, size uint32, id *uint32) uint32

//go:wasmimport env proxy_increment_metric
func incrementMetric(id uint32, by int64) uint32

const (
	requestHeaders      = 0
	responseHeaders     = 2
	responseBody        = 1
	pluginConfiguration = 7
)

var (
	greeting string
	requests uint32
	// What the host wrote and nobody has read yet: the collector must not take it.
	given = map[uint32][]byte{}
)

func main() {}

//go:wasmexport proxy_abi_version_0_2_1
func version() {}

//go:wasmexport proxy_on_memory_allocate
func allocate(size uint32) uint32 {
	bytes := make([]byte, size)
	at := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(bytes))))
	given[at] = bytes
	return at
}

//go:wasmexport proxy_on_configure
func onConfigure(_, size uint32) uint32 {
	var at, length uint32
	if getBufferBytes(pluginConfiguration, 0, size, &at, &length) != 0 {
		return 0
	}
	greeting = take(at, length)
	name, nameSize := text("greeter.requests")
	if defineMetric(0, name, nameSize, &requests) != 0 {
		return 0
	}
	fmt.Println("configured with", greeting)
	return 1
}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(_, _, _ uint32) uint32 {
	incrementMetric(requests, 1)
	var at, length uint32
	name, size := text(":path")
	getHeader(requestHeaders, name, size, &at, &length)
	path := take(at, length)
	fmt.Println("request of", path)
	if path == "/denied" {
		body, bodySize := text("not for you")
		headers, headersSize := text(pair("x-greeting", greeting))
		sendLocalResponse(403, nil, 0, body, bodySize, headers, headersSize, -1)
		return 1
	}
	set(requestHeaders, "x-greeting", greeting)
	return 0
}

//go:wasmexport proxy_on_response_headers
func onResponseHeaders(_, _, _ uint32) uint32 {
	name, size := text("content-length")
	removeHeader(responseHeaders, name, size)
	set(responseHeaders, "x-greeted", "yes")
	return 0
}

//go:wasmexport proxy_on_response_body
func onResponseBody(_, size, end uint32) uint32 {
	if end != 0 {
		mark, length := text("!")
		setBufferBytes(responseBody, size, 0, mark, length)
	}
	return 0
}

func set(headers uint32, name, value string) {
	n, nameSize := text(name)
	v, size := text(value)
	replaceHeader(headers, n, nameSize, v, size)
}

func text(s string) (unsafe.Pointer, uint32) {
	return unsafe.Pointer(unsafe.StringData(s)), uint32(len(s))
}

// take copies what the host gave, and lets go of it.
func take(at, size uint32) string {
	s := string(given[at][:size])
	delete(given, at)
	return s
}

// pair is a map of one pair: the count, the lengths, then name and value, each with a NUL behind it.
func pair(name, value string) string {
	var out []byte
	for _, n := range []int{1, len(name), len(value)} {
		out = binary.LittleEndian.AppendUint32(out, uint32(n))
	}
	return string(out) + name + "\x00" + value + "\x00"
}
