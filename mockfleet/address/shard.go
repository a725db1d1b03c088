package address

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/fleetmark/fleetmark/mockfleet/internal/field"
)

// A Shard is one of Count parts of a fleet, whose devices are numbered from 0. Device n belongs to
// the shard with the index n modulo Count. The zero Shard is the whole fleet.
//
// A device of a shard has two numbers. Its number in the whole fleet decides who it is: its ID, its
// group and all that is random about it. Its index in the shard, from 0, decides where it is: its
// address.
type Shard struct {
	Index int `json:"index"` // 0 to Count-1
	Count int `json:"count"` // how many shards there are: 1 to MaxShards; 0 is 1
}

const (
	// MaxShards is how many shards a fleet may have.
	MaxShards = 4096

	// MaxDevices is how many devices all shards of a fleet may have together: as many as there are
	// device IDs.
	MaxDevices = 100_000_000
)

// IsWhole reports whether s is the only shard of its fleet.
func (s Shard) IsWhole() bool { return s.Count <= 1 }

// Number returns the number in the whole fleet of the device with index i in the shard.
func (s Shard) Number(i int) int { return s.Index + i*max(1, s.Count) }

// Local returns the index in its shard of the device with that number in the whole fleet. It is the
// inverse of Number.
func (s Shard) Local(number int) int { return number / max(1, s.Count) }

// Holds reports whether the device with that number in the whole fleet belongs to the shard.
func (s Shard) Holds(number int) bool { return number%max(1, s.Count) == s.Index }

// Len returns how many of the first devices of the whole fleet belong to the shard.
func (s Shard) Len(devices int) int {
	count := max(1, s.Count)
	return max(0, (devices-s.Index+count-1)/count)
}

// String returns the shard as INDEX/COUNT, or "whole".
func (s Shard) String() string {
	if s == (Shard{}) {
		return "whole"
	}
	return strconv.Itoa(s.Index) + "/" + strconv.Itoa(s.Count)
}

// ParseShard reads INDEX/COUNT, such as "0/4". The error is a *mockfleet.ConfigError.
func ParseShard(s string) (Shard, error) {
	index, count, _ := strings.Cut(s, "/")
	i, err := strconv.Atoi(index)
	n, countErr := strconv.Atoi(count)
	shard := Shard{i, n}
	if err != nil || countErr != nil || n < 1 || len(shard.Validate()) > 0 {
		want := fmt.Sprintf("INDEX/COUNT, such as 0/4: an index below the count, which is %d at most", MaxShards)
		return Shard{}, &field.Error{Field: "shard", Value: strconv.Quote(s), Want: want}
	}
	return shard, nil
}

// Validate returns a *mockfleet.ConfigError for each field of s that is out of bounds.
func (s Shard) Validate() (errs []error) {
	if s.Count < 0 || s.Count > MaxShards {
		errs = append(errs, &field.Error{
			Field: "shard.count", Value: strconv.Itoa(s.Count), Want: fmt.Sprintf("1 to %d, or 0 for the whole fleet", MaxShards),
		})
	} else if last := max(1, s.Count) - 1; s.Index < 0 || s.Index > last {
		errs = append(errs, &field.Error{
			Field: "shard.index", Value: strconv.Itoa(s.Index), Want: fmt.Sprintf("0 to %d, one below the count", last),
		})
	}
	return errs
}
