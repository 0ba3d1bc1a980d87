package xlakernels

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

const forward = `    %1 = "stablehlo.convolution"(%0, %arg1) {
      batch_group_count = 1 : i64,
      dimension_numbers = #stablehlo.conv<[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]>,
      feature_group_count = 1 : i64,
      lhs_dilation = array<i64: 1, 1>,
      padding = dense<[[1, 1], [1, 1]]> : tensor<2x2xi64>,
      precision_config = [#stablehlo<precision DEFAULT>, #stablehlo<precision DEFAULT>],
      rhs_dilation = array<i64: 1, 1>,
      window_reversal = array<i1: false, false>,
      window_strides = array<i64: 1, 1>
    } : (tensor<8x8x8x32xf32>, tensor<3x3x32x64xf32>) -> tensor<8x8x8x64xf32>
`

const affine = `    %2 = "func.call"(%1, %k) { callee = @mcvd_kernel_affine__8 } : (tensor<8x8x8x32xf32>, tensor<8x2x32xf32>) -> tensor<8x8x8x32xf32>
`

const uniform = `    %2, %3 = "stablehlo.rng_bit_generator"(%s) { rng_algorithm = #stablehlo<rng_algorithm PHILOX> } : (tensor<3xui64>) -> (tensor<3xui64>, tensor<2x8xui32>)
`

const adamw = `    %2, %3, %4, %5 = "func.call"(%g, %k, %w, %m, %s, %a) { callee = @mcvd_kernel_adamw__8_1 } : (tensor<8xf32>, tensor<10xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) -> (tensor<8xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>)
`

func module(head string, statements ...string) []byte {
	return []byte(head + " {\n  func.func @main(%arg0: tensor<8xf32>) -> tensor<8xf32> {\n" + strings.Join(statements, "") +
		"    \"stablehlo.return\"(%1) : (tensor<8xf32>) -> ()\n  }\n}\n")
}

func TestWhatIsRewritten(t *testing.T) {
	with := func(text string, oldNew ...string) string {
		for i := 0; i < len(oldNew); i += 2 {
			if !strings.Contains(text, oldNew[i]) {
				t.Fatalf("no %q", oldNew[i])
			}
		}
		return strings.NewReplacer(oldNew...).Replace(text)
	}
	for _, c := range []struct{ name, head, statement, target string }{
		{"forward", "module @a", forward, "mcvd_conv"},
		{"of the input", "module @a", with(forward, "[0, 1, i, o]", "[0, 1, o, i]", "3x3x32x64", "3x3x64x32"), "mcvd_conv_transposed"},
		{"of the weights", "module @a", with(forward, "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]", "[f, 0, 1, b]x[i, 0, 1, o]->[0, 1, b, f]",
			"tensor<3x3x32x64xf32>) -> tensor<8x8x8x64xf32>", "tensor<8x8x8x64xf32>) -> tensor<3x3x32x64xf32>"), "mcvd_conv_weights"},
		{"replicas", "module @a attributes {stablehlo.num_replicas = 2}", forward, "mcvd_conv"},
		{"partitions", "module @a attributes {stablehlo.num_replicas = 1,  stablehlo.num_partitions = 2}", forward, ""},
		{"no padding", "module @a", with(forward, "[[1, 1], [1, 1]]", "[[0, 0], [0, 0]]", "-> tensor<8x8x8", "-> tensor<8x6x6"), ""},
		{"stride", "module @a", with(forward, "window_strides = array<i64: 1, 1>", "window_strides = array<i64: 2, 2>"), ""},
		{"an attribute more", "module @a", with(forward, "window_reversal", "news = 1 : i64,\n      window_reversal"), ""},
		{"an attribute less", "module @a", with(forward, "      rhs_dilation = array<i64: 1, 1>,\n", ""), ""},
		{"channels", "module @a", with(forward, "x32xf32>, tensor<3x3x32", "x12xf32>, tensor<3x3x12"), ""},
		{"a side that tiles don't divide", "module @a", with(forward, "8x8x8", "16x6x8"), "mcvd_conv"},
		{"5x5", "module @a", with(forward, "3x3x32x64", "5x5x32x64"), ""},
		{"a size that overflows", "module @a", with(forward, "8x8x8", "99999999x99999999x99999999"), ""},
		{"few pixels", "module @a", with(forward, "8x8x8", "1x1x1"), "mcvd_conv"},
		{"1x1", "module @a", with(forward, "3x3x32x64", "1x1x32x64", "[[1, 1], [1, 1]]", "[[0, 0], [0, 0]]"), "mcvd_conv"},
		{"1x1 and padding", "module @a", with(forward, "3x3x32x64", "1x1x32x64", "-> tensor<8x8x8", "-> tensor<8x10x10"), ""},
		{"with a bias", "module @a", with(affine, "affine", "conv_bias", "tensor<8x2x32xf32>", "tensor<3x3x32x32xf32>, tensor<32xf32>"), "mcvd_conv_bias"},
		{"5x5 with a bias", "module @a", with(affine, "affine", "conv_bias", "tensor<8x2x32xf32>", "tensor<5x5x32x32xf32>, tensor<32xf32>"), ""},
		{"bfloat16", "module @a", with(forward, "xf32", "xbf16"), ""},
		{"a kernel's function", "module @a", affine, "mcvd_affine"},
		{"attention", "module @a", with(affine, "affine", "attention", "8x8x8x32", "8x16x2x32"), "mcvd_attention"},
		{"attention of pixels that vectors don't divide", "module @a", with(affine, "affine", "attention", "8x8x8x32", "8x15x2x32"), ""},
		{"another function", "module @a", with(affine, "mcvd_kernel_affine", "mcvd_kernel_afine"), ""},
		{"a function of bfloat16", "module @a", with(affine, "xf32", "xbf16"), ""},
		{"random numbers", "module @a", uniform, "mcvd_random"},
		{"random numbers by another generator", "module @a", with(uniform, "PHILOX", "THREE_FRY"), ""},
		{"random numbers of 64 bits", "module @a", with(uniform, "2x8xui32", "2x8xui64"), ""},
		{"random numbers from another state", "module @a", with(uniform, "3xui64", "2xui64"), ""},
		{"random numbers that are too many", "module @a", with(uniform, "2x8xui32", "99999x99999xui32"), ""},
		{"an update", "module @a", adamw, "mcvd_adamw"},
		{"an update of bfloat16", "module @a", with(adamw, "xf32", "xbf16"), ""},
		{"an update of too many", "module @a", with(adamw, "tensor<8x", "tensor<9999999999x"), ""},
		{"an update of too many, by four axes", "module @a", with(adamw, "tensor<8x", "tensor<1x1x65536x32768x"), ""},
		{"an update with other numbers", "module @a", with(adamw, "tensor<10x", "tensor<11x"), ""},
		{"an update that ends in the midst", "module @a", with(adamw, "tensor<8xf32>)\n", "tensor<8xf32>\n"), ""},
		{"not ours", "HloModule a", forward, ""},
		{"cut off", "module @a", forward[:len(forward)/2], ""},
	} {
		program := module(c.head, "    %0 = a\n", c.statement, "    %9 = b\n")
		before := bytes.Clone(program)
		got := rewrite(program, map[string]int{}, map[string]int{})
		if !bytes.Equal(before, program) {
			t.Errorf("%s: the program that was handed over has changed", c.name)
		}
		if c.target == "" {
			if got != nil {
				t.Errorf("%s: rewritten:\n%s", c.name, got)
			}
			continue
		}
		head, rest, _ := strings.Cut(string(got), "    %0 = a\n")
		line, tail, _ := strings.Cut(rest, "\n")
		if !strings.HasPrefix(head, c.head) || !strings.HasPrefix(tail, "    %9 = b\n") || !strings.Contains(line, `call_target_name = "`+c.target+`",`) {
			t.Errorf("%s, want %s:\n%s", c.name, c.target, got)
		}
	}
}

// Damaged programs are rewritten into something, or left alone, without a panic.
func TestDamagedPrograms(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	whole := module("module @a", forward, affine, uniform, adamw, forward)
	for range 20_000 {
		program := bytes.Clone(whole)
		for range 1 + rng.IntN(3) {
			at := rng.IntN(len(program))
			switch rng.IntN(3) {
			case 0:
				program[at] = whole[rng.IntN(len(whole))]
			case 1:
				program = append(program[:at], program[min(len(program), at+1+rng.IntN(30)):]...)
			case 2:
				from := rng.IntN(len(whole))
				program = slices.Insert(program, at, whole[from:min(len(whole), from+rng.IntN(200))]...)
			}
			if len(program) == 0 {
				break
			}
		}
		rewrite(program, map[string]int{}, map[string]int{})
	}
}

// A program is some 10,000 lines.
func BenchmarkRewrite(b *testing.B) {
	other := strings.Repeat("    %2 = \"stablehlo.multiply\"(%1, %1) : (tensor<8x8x8x64xf32>, tensor<8x8x8x64xf32>) -> tensor<8x8x8x64xf32>\n", 100)
	program := module("module @a", strings.Repeat(forward+other, 90))
	b.SetBytes(int64(len(program)))
	for range b.N {
		rewrite(program, map[string]int{}, map[string]int{})
	}
}
