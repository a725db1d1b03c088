package app

import (
	"encoding/binary"
	"os"
	"strings"
	"unicode/utf16"

	"github.com/rogpeppe/go-internal/testscript"
)

// encode: encode as ENCODING FILE ... writes text files anew as programs on Windows do: with
// carriage returns, and "powershell" in UTF-16 with a mark, as its redirection writes; "notepad" in
// UTF-8 with one.
func encode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || args[0] != "as" {
		ts.Fatalf("usage: encode as powershell|notepad FILE ...")
	}
	for _, name := range args[2:] {
		text := "\ufeff" + strings.ReplaceAll(ts.ReadFile(name), "\n", "\r\n")
		data := []byte(text)
		switch args[1] {
		case "notepad":
		case "powershell":
			data = nil
			for _, unit := range utf16.Encode([]rune(text)) {
				data = binary.LittleEndian.AppendUint16(data, unit)
			}
		default:
			ts.Fatalf("encode: no encoding %q", args[1])
		}
		ts.Check(os.WriteFile(ts.MkAbs(name), data, 0o600))
	}
}
