package profiles

// Exported for tests in package profiles_test.
var (
	FileName     = fileName
	WriteProfile = writeProfile
)
