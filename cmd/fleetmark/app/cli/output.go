package cli

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/fleetmark/fleetmark/internal/atomicfile"
)

// Stdout stands for standard output where a flag wants a file. Where a command reads a file, the
// same word stands for standard input.
const Stdout = "-"

// An Output is text on its way to the file that a flag names.
type Output struct {
	Flag   string // without the dashes
	File   string // or Stdout
	Data   []byte
	Append bool // to the file, instead of replacing it
}

// Write writes outputs, up to the first that can't be written.
func (c Console) Write(outputs []Output) error {
	for _, o := range outputs {
		if err := o.Write(c); err != nil {
			return err
		}
	}
	return nil
}

// Write writes the output. The file is replaced as a whole, or not at all.
func (o Output) Write(c Console) error {
	var err error
	switch {
	case o.File == Stdout:
		_, err = c.Out.Write(o.Data)
		return err
	case o.Append:
		err = appendFile(o.File, o.Data)
	default:
		err = atomicfile.Write(o.File, o.Data)
	}
	if err != nil {
		return Usagef("--%s %s: %v", o.Flag, o.File, err)
	}
	return nil
}

// CheckOutputs returns an error if a file that one of the flags names can't be written, so that a
// command finds out before it has measured for minutes, or if two outputs have one place. taken is
// the flag that already prints on standard output; if it is empty, none does.
func CheckOutputs(cmd *cobra.Command, taken string, flags ...string) error {
	by := make(map[string]string)
	if taken != "" {
		by[Stdout] = taken
	}
	for _, name := range flags {
		file := cmd.Flags().Lookup(name).Value.String()
		if file == "" {
			continue
		}
		if other := by[file]; other != "" {
			return Usagef("--%s and --%s: both would be written to %s; give one of them a file of its own",
				other, name, OutputName(file))
		}
		by[file] = name
		if file == Stdout {
			continue
		}
		if err := atomicfile.Check(file); err != nil {
			return Usagef("--%s %s: %v", name, file, err)
		}
	}
	return nil
}

// OutputName returns the name of an output's file for a message.
func OutputName(file string) string {
	if file == Stdout {
		return "standard output"
	}
	return file
}

// appendFile adds data to a file as a paragraph of its own.
func appendFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		data = append([]byte("\n"), data...)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	return errors.Join(err, f.Close())
}
