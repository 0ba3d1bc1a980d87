package video

import (
	"bytes"
	"image"
	"image/jpeg"
	"image/png"
	"math"
	"strings"
	"testing"
)

// FuzzProbe reads any answer of ffprobe. What it says of a video are sizes that can be decoded, and
// numbers that can be counted with.
func FuzzProbe(f *testing.F) {
	f.Add([]byte(`{"streams":[{"width":320,"height":240,"avg_frame_rate":"30000/1001","r_frame_rate":"30/1","sample_aspect_ratio":"4:3","nb_frames":"12",` +
		`"nb_read_packets":"12","duration":"0.4","side_data_list":[{"rotation":-90}]}],"format":{"duration":"0.5"}}`))
	f.Add([]byte(`{"streams":[{"width":1,"height":1,"avg_frame_rate":"1e308/1e-308","sample_aspect_ratio":"1e300:1e-300","nb_frames":"-3","duration":"1e300"}]}`))
	f.Add([]byte(`{"streams":[{"width":65535,"height":65535}]}`))
	f.Add([]byte(`{"streams":[]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		answer, err := parseProbed(text)
		if err != nil {
			return
		}
		i, err := answer.info()
		if err == nil && (i.Width < 1 || i.Height < 1 || i.Width*i.Height > maxPixels || i.Frames < 0 || i.Duration < 0 || !(i.FPS >= 0) || math.IsInf(i.FPS, 1)) {
			t.Errorf("%+v", i)
		}
	})
}

// FuzzImage decodes any image that isn't large: an error, or a frame of the size that was asked for.
func FuzzImage(f *testing.F) {
	img := image.NewNRGBA(image.Rect(0, 0, 9, 5))
	for i := range img.Pix {
		img.Pix[i] = uint8(37 * i)
	}
	var a, b bytes.Buffer
	if png.Encode(&a, img) != nil || jpeg.Encode(&b, img, nil) != nil {
		f.Fatal("can't encode")
	}
	f.Add(a.Bytes(), uint8(8), false)
	f.Add(b.Bytes(), uint8(1), true)
	f.Fuzz(func(t *testing.T, b []byte, size uint8, color bool) {
		if head, _, err := image.DecodeConfig(bytes.NewReader(b)); err != nil || head.Width > 1<<14 || head.Height > 1<<14 || head.Width*head.Height > 1<<14 {
			return // would take long
		}
		for _, crop := range []Crop{Center, Whole, Squeeze} {
			o := DecodeOptions{Size: 1 + int(size)%32, Channels: 1, Crop: crop}
			if color {
				o.Channels = 3
			}
			if frame, err := DecodeImage(b, o); err == nil && len(frame) != o.Size*o.Size*o.Channels {
				t.Errorf("%d bytes of a frame of %+v", len(frame), o)
			}
		}
	})
}

// FuzzNatural orders any three names of files: two are equal only if they are the same, and what comes
// first doesn't depend on how it is asked.
func FuzzNatural(f *testing.F) {
	f.Add("frame2.png", "frame10.png", "frame010.png")
	f.Add("\xff1", "1\x00", "")
	f.Add("a00", "a0", "a000")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if natural(a, b) != -natural(b, a) || (natural(a, b) == 0) != (a == b) {
			t.Errorf("%q and %q: %d and %d", a, b, natural(a, b), natural(b, a))
		}
		if natural(a, b) <= 0 && natural(b, c) <= 0 && natural(a, c) > 0 {
			t.Errorf("%q, %q and %q go round", a, b, c)
		}
		if IsImage(a) && strings.HasPrefix(a, ".") {
			t.Errorf("%q is hidden", a)
		}
	})
}
