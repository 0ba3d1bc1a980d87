package weights

import (
	"fmt"
	"strings"
)

// maxListed is the number of problems that are shown. More of them usually have one cause.
const maxListed = 10

// List puts what is wrong with the tensors of a file below a sentence that says so: the first ten,
// each in a line of its own, and how many more there are.
func List(problems []string) string {
	var out strings.Builder
	for i, p := range problems {
		if i == maxListed {
			fmt.Fprintf(&out, "\n  and %d more", len(problems)-i)
			break
		}
		out.WriteString("\n  " + p)
	}
	return out.String()
}
