package eval

import (
	"slices"

	"github.com/gomlx/gomlx/core/tensors"
)

// beside gives the frames of a block that have no number, [None], the numbers right beside their
// neighbours. A block without any number begins at 0.
func beside(block []int) []int {
	numbers := slices.Clone(block)
	first := max(0, slices.IndexFunc(numbers, func(i int) bool { return i != None }))
	if numbers[first] == None {
		numbers[first] = 0
	}
	for k := first - 1; k >= 0; k-- {
		numbers[k] = numbers[k+1] - 1
	}
	for k := first + 1; k < len(numbers); k++ {
		if numbers[k] == None {
			numbers[k] = numbers[k-1] + 1
		}
	}
	return numbers
}

// block is the numbers of all frames of the block.
func (w Window) block() []int {
	if w.Times != nil {
		return w.Times
	}
	return beside(w.Make)
}

// times are the times of a window's frames for models.Cond, past, block, future, the same for all
// videos. Those of hidden frames are 0, which the model doesn't look at. The window is that of the
// network: see [Narrow]. They are nil, for frames that follow each other, if it has no numbers.
func (b *batch) times(w Window) []float32 {
	if w.Make == nil {
		return nil
	}
	past := b.model.Frames.Past
	times := make([]float32, 0, b.model.Frames.Total()*len(b.cases))
	for _, i := range slices.Concat(w.Given[:past], w.block(), w.Given[past:]) {
		if i == None {
			i = 0
		}
		times = append(times, float32(i))
	}
	return slices.Repeat(times, len(b.cases))
}

// timed is times as a tensor, [batch, past+current+future]; nil is frames that follow each other.
// The result is nil for a network that isn't told times.
func (b *batch) timed(times []float32) *tensors.Tensor {
	if !b.model.ToldTimes() {
		return nil
	}
	n := b.model.Frames.Total()
	if times == nil {
		for i := range n * len(b.cases) {
			times = append(times, float32(i%n))
		}
	}
	return tensors.FromFlatDataAndDimensions(times, len(b.cases), n)
}
