package xlakernels

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rewrite replaces in a program, StableHLO as go-xla writes it, each operation that a kernel serves,
// and leaves all else as it is. It returns nil if nothing is replaced.
//
// A program whose arrays XLA divides among devices stays as it is: XLA's partitioner doesn't know how
// to divide a custom call.
func Rewrite(program []byte) []byte {
	start := time.Now()
	rewritten, kept := map[string]int{}, map[string]int{}
	out := rewrite(program, rewritten, kept)
	totals.Lock()
	defer totals.Unlock()
	totals.add(rewritten, kept, time.Since(start))
	return out
}

func rewrite(program []byte, rewritten, kept map[string]int) []byte {
	head, _, _ := bytes.Cut(program, []byte("\n"))
	if !bytes.HasPrefix(head, []byte("module ")) || bytes.Contains(head, []byte("num_partitions")) {
		return nil
	}
	var out []byte
	copied := 0 // of the program
	for at := 0; at < len(program); {
		s, size := next(program[at:])
		if kernel := s.kernel(); kernel != "" {
			rewritten[kernel]++
			out = append(out, program[copied:at]...)
			out = append(out, s.customCall(kernel)...)
			copied = at + size
		} else if s.operation != "" {
			kept[s.operation]++
		}
		at += size
	}
	if out == nil {
		return nil
	}
	return append(out, program[copied:]...)
}

// statement is a statement that kernels may serve. Others have no operation.
type statement struct {
	operation  string   // "convolution", "call", "random numbers" or ""
	head       string   // its first line
	attributes []string // of a convolution, one a line; of a call its function; of random numbers the generator
	signature  string   // ": (types of the operands) -> type of the result", or "(types of the results)"
}

const (
	convolution = `= "stablehlo.convolution"(`
	call        = `= "func.call"(`
	generator   = `= "stablehlo.rng_bit_generator"(`
	longest     = 2000 // bytes of a statement; others are constants
)

// next reads the statement that begins here, and how many bytes it has. Of a statement that no kernel
// serves it reads only the first line.
func next(text []byte) (s statement, size int) {
	line := text
	if end := bytes.IndexByte(text, '\n'); end >= 0 {
		line = text[:end+1]
	}
	size = len(line)
	if size > longest {
		return s, size
	}
	switch {
	case bytes.Contains(line, []byte(convolution)):
		return readConvolution(text[:min(len(text), longest)], line)
	case bytes.Contains(line, []byte(call)):
		return readLine("call", line, " { callee = @"), size
	case bytes.Contains(line, []byte(generator)):
		return readLine("random numbers", line, " { rng_algorithm = "), size
	}
	return s, size
}

// readLine reads a statement with one attribute, which go-xla writes on one line.
func readLine(operation string, line []byte, name string) statement {
	head := strings.TrimSuffix(string(line), "\n")
	_, after, _ := strings.Cut(head, name)
	attribute, signature, _ := strings.Cut(after, " } ")
	return statement{operation, head, []string{attribute}, signature}
}

// readConvolution reads a convolution, which go-xla writes with an attribute a line.
func readConvolution(text, line []byte) (s statement, size int) {
	last := bytes.Index(text, []byte("\n    } : ("))
	if last < 0 {
		return s, len(line)
	}
	end := bytes.IndexByte(text[last+1:], '\n')
	if end < 0 {
		return s, len(line)
	}
	size = last + 1 + end + 1
	lines := strings.Split(string(text[:size-1]), "\n")
	n := len(lines) - 1
	return statement{"convolution", lines[0], lines[1:n], strings.TrimPrefix(lines[n], "    } ")}, size
}

// kernel is the kernel that serves the statement, or nothing.
func (s statement) kernel() string {
	in, out, ok := types(s.signature)
	if !ok {
		return ""
	}
	if s.operation == "random numbers" {
		return randomKernel(s.attributes[0], in, out)
	}
	for _, t := range append(in, out...) {
		if t.dtype != "f32" {
			return ""
		}
	}
	switch s.operation {
	case "convolution":
		return convolutionKernel(s.attributes, in, out[0])
	case "call":
		return callKernel(s.attributes[0], in)
	}
	return ""
}

// customCall is the statement as a custom call, with all arrays row-major.
func (s statement) customCall(kernel string) string {
	in, out, _ := types(s.signature)
	result, after, _ := strings.Cut(s.head, " = ")
	_, operands, _ := strings.Cut(after, "(")
	operands, _, _ = strings.Cut(operands, ")")
	return fmt.Sprintf("%s = \"stablehlo.custom_call\"(%s) {api_version = 4 : i32, backend_config = {}, call_target_name = \"mcvd_%s\", "+
		"operand_layouts = [%s], result_layouts = [%s]} %s\n", result, operands, kernel, layouts(in), layouts(out), s.signature)
}

// layouts are those of arrays that are row-major.
func layouts(of []tensor) string {
	var all []string
	for _, t := range of {
		all = append(all, t.layout())
	}
	return strings.Join(all, ", ")
}

// tensor is the type of an array.
type tensor struct {
	dims  []int
	dtype string
}

func (t tensor) layout() string {
	order := make([]string, len(t.dims))
	for i := range order {
		order[i] = strconv.Itoa(len(order) - 1 - i)
	}
	if len(order) == 0 {
		return "dense<> : tensor<0xindex>"
	}
	return fmt.Sprintf("dense<[%s]> : tensor<%dxindex>", strings.Join(order, ", "), len(order))
}

// types reads a signature, such as ": (tensor<2x8xf32>, tensor<f32>) -> tensor<8xf32>".
func types(signature string) (in, out []tensor, ok bool) {
	signature, begins := strings.CutPrefix(signature, ": (")
	operands, results, found := strings.Cut(signature, ") -> ")
	if several, opened := strings.CutPrefix(results, "("); opened {
		if results, found = strings.CutSuffix(several, ")"); !found {
			return nil, nil, false
		}
	}
	if !begins || !found {
		return nil, nil, false
	}
	in, inOK := typesOf(operands)
	out, outOK := typesOf(results)
	return in, out, inOK && outOK
}

// typesOf reads a list of types.
func typesOf(list string) (of []tensor, ok bool) {
	for text := range strings.SplitSeq(list, ", ") {
		t, ok := typeOf(text)
		if !ok {
			return nil, false
		}
		of = append(of, t)
	}
	return of, true
}

func typeOf(text string) (t tensor, ok bool) {
	inner, opened := strings.CutPrefix(text, "tensor<")
	inner, closed := strings.CutSuffix(inner, ">")
	if !opened || !closed {
		return t, false
	}
	parts := strings.Split(inner, "x")
	t.dtype = parts[len(parts)-1]
	for _, p := range parts[:len(parts)-1] {
		n, err := strconv.Atoi(p)
		if err != nil || n < 1 {
			return t, false
		}
		t.dims = append(t.dims, n)
	}
	return t, true
}
