package app

import (
	"encoding/binary"
	"os"
	"strings"
	"unicode/utf16"

	"github.com/rogpeppe/go-internal/testscript"
)

// encode implements the script command "encode as ENCODING FILE ...", which rewrites text files as
// programs on Windows write them, with carriage returns: "powershell" in UTF-16 with a byte order
// mark, as its redirection does, and "notepad" in UTF-8 with one.
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
