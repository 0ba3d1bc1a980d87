package metric

import (
	"fmt"
	"math"

	"mcvd/data/clips"
)

const (
	ssimSigma  = 1.5
	ssimRadius = 5 // 3.5 sigma, rounded
	ssimWindow = 2*ssimRadius + 1
	// (0.01 * 255)^2 and (0.03 * 255)^2 keep the quotients finite where a window is black or flat.
	ssimC1 = 0.01 * 255 * 0.01 * 255
	ssimC2 = 0.03 * 255 * 0.03 * 255
)

// SSIM is the structural similarity of two 8-bit frames (Wang et al., 2004, eq. 13), -1 to 1, 1 for
// identical frames.
//
// a and b are [height, width, channels]; 3 channels are RGB and become grey by the integer formula of PIL's
// convert('L'). Windows are Gaussian, sigma 1.5 and 11 pixels wide; variances are the population's; the data range is
// 255. The mean is over pixels 5 or more away from every edge, whose windows lie inside of the frame: so it doesn't
// matter how edges would be continued. A frame that has no such pixel is [Skipped].
func SSIM(a, b []uint8, height, width, channels int) (float64, error) {
	if channels != 1 && channels != 3 {
		return 0, fmt.Errorf("ssim: frames with %d channels, want 1 or 3", channels)
	}
	if size := height * width * channels; len(a) != size || len(b) != size {
		return 0, fmt.Errorf("ssim: frames of %d and %d bytes, want %d for %dx%dx%d", len(a), len(b), size, height, width, channels)
	}
	if height < ssimWindow || width < ssimWindow {
		return 0, Skipped{fmt.Sprintf("ssim needs frames of %dx%d or more, got %dx%d", ssimWindow, ssimWindow, height, width)}
	}
	kernel := gaussian()
	inner := width - 2*ssimRadius
	pixels := make([]moments, width)
	// These are the rows that the window covers, filtered along x, in a ring: row y is at y modulo
	// the window.
	var rows [ssimWindow][]moments
	store := make([]moments, ssimWindow*inner)
	for i := range rows {
		rows[i] = store[i*inner : (i+1)*inner]
	}
	var sum float64
	for y := range height {
		readRow(pixels, a, b, y, channels)
		filterRow(rows[y%ssimWindow], pixels, &kernel)
		if y < ssimWindow-1 {
			continue
		}
		var window [ssimWindow][]moments // from top to bottom
		for j := range window {
			window[j] = rows[(y+1+j)%ssimWindow]
		}
		for x := range inner {
			var m moments
			for j, row := range window {
				m.add(kernel[j], &row[x])
			}
			sum += m.ssim()
		}
	}
	return sum / float64((height-2*ssimRadius)*inner), nil
}

// moments are weighted means over a window: of a pixel x of one frame, of the pixel y of the other,
// of x^2 + y^2, and of xy. SSIM needs the variances only as their sum, so one mean of squares is
// enough for both.
type moments struct{ x, y, squares, product float64 }

func (m *moments) add(weight float64, o *moments) {
	m.x += weight * o.x
	m.y += weight * o.y
	m.squares += weight * o.squares
	m.product += weight * o.product
}

func (m *moments) ssim() float64 {
	means, product := m.x*m.x+m.y*m.y, m.x*m.y
	covariance, variances := m.product-product, m.squares-means
	return (2*product + ssimC1) * (2*covariance + ssimC2) / ((means + ssimC1) * (variances + ssimC2))
}

// filterRow computes the moments of a window one row high; dst is shorter than pixels by two radii.
func filterRow(dst, pixels []moments, kernel *[ssimWindow]float64) {
	for x := range dst {
		var m moments
		for j := range kernel {
			m.add(kernel[j], &pixels[x+j])
		}
		dst[x] = m
	}
}

// readRow turns row y of both frames into the moments of single pixels.
func readRow(dst []moments, a, b []uint8, y, channels int) {
	for i := range dst {
		at := (y*len(dst) + i) * channels
		p, q := grey(a[at:at+channels]), grey(b[at:at+channels])
		dst[i] = moments{p, q, p*p + q*q, p * q}
	}
}

// grey is PIL's convert('L') of one pixel, in fixed point with 16 bits of fraction.
func grey(pixel []uint8) float64 {
	if len(pixel) == 1 {
		return float64(pixel[0])
	}
	r, g, b := uint32(pixel[0]), uint32(pixel[1]), uint32(pixel[2])
	return float64((r*19595 + g*38470 + b*7471 + 0x8000) >> 16)
}

// gaussian is the window along one axis; its sum is 1.
func gaussian() (kernel [ssimWindow]float64) {
	var sum float64
	for i := range kernel {
		d := float64(i - ssimRadius)
		kernel[i] = math.Exp(-d * d / (2 * ssimSigma * ssimSigma))
		sum += kernel[i]
	}
	for i := range kernel {
		kernel[i] /= sum
	}
	return kernel
}

// openSSIM needs nothing. A clip's score is the mean over its frames.
func openSSIM(Needs) (Pairs, error) {
	return eachPair(func(real, made clips.Clip) (Score, error) {
		frames, err := eachFrame(real, made, func(a, b []uint8) (float64, error) {
			return SSIM(a, b, real.Height, real.Width, real.Channels)
		})
		var sum float64
		for _, s := range frames {
			sum += s
		}
		return Score{Value: sum / float64(len(frames)), Frames: frames}, err
	}), nil
}
