package hdf5

import "errors"

var errLZF = errors.New("damaged: broken LZF data")

// lzf unpacks LZF (Lehmann's LibLZF) into a buffer and returns how many bytes it filled. A control
// byte c below 32 is followed by c+1 bytes that are copied. Any other repeats earlier output: its
// upper three bits say how many bytes, less two; if they are 7, the next byte is added. Its lower
// five bits and one more byte are the distance, less one.
func lzf(to, from []byte) (int, error) {
	at := 0
	for len(from) > 0 {
		c := int(from[0])
		from = from[1:]
		if c < 32 {
			n := c + 1
			if n > len(from) || n > len(to)-at {
				return 0, errLZF
			}
			at += copy(to[at:], from[:n])
			from = from[n:]
			continue
		}
		n := c>>5 + 2
		if n == 9 && len(from) > 0 {
			n += int(from[0])
			from = from[1:]
		}
		if len(from) == 0 {
			return 0, errLZF
		}
		distance := (c&31)<<8 + int(from[0]) + 1
		from = from[1:]
		if distance > at || n > len(to)-at {
			return 0, errLZF
		}
		if distance >= n {
			copy(to[at:at+n], to[at-distance:])
		} else { // what is repeated overlaps with the repetition
			for i := at; i < at+n; i++ {
				to[i] = to[i-distance]
			}
		}
		at += n
	}
	return at, nil
}
