package weights

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"mcvd/configs/regular"
)

// SHA256 is the hash of a regular file, 64 hexadecimal digits.
func SHA256(path string) (sum string, err error) {
	f, _, err := regular.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	if _, err := f.WriteTo(h); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
