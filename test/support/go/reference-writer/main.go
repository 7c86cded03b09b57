// The decisions of the reference's writer that are Go's own, made by Go itself: decoding a message, writing its report again without the
// bulky members, reading its time. Documents come on standard input, each behind its length in four bytes; answers go out as lines of JSON.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"time"
)

type report map[string]*json.RawMessage

type incomingMessage struct {
	OrgID         *uint32 `json:"OrgID"`
	AccountNumber *uint32 `json:"AccountNumber"`
	ClusterName   *string `json:"ClusterName"`
	Report        *report `json:"Report"`
	LastChecked   string  `json:"LastChecked"`
	Version       uint8   `json:"Version"`
	RequestID     string  `json:"RequestId"`
}

type answer struct {
	// "received", "syntax", "type", or the attribute or key of the report that is missing.
	Outcome       string
	Error         string
	OrgID         *uint32
	AccountNumber *uint32
	ClusterName   *string
	LastChecked   string
	Version       uint8
	RequestID     string
	// Base64 of the bytes, which may be no UTF-8.
	Text          []byte
	OriginalBytes int
	// Absent where LastChecked is no time.
	Moment *moment
}

type moment struct {
	Seconds int64
	Nanos   int
}

func judge(document []byte) answer {
	var message incomingMessage
	err := json.Unmarshal(document, &message)
	known := answer{
		OrgID: message.OrgID, AccountNumber: message.AccountNumber, ClusterName: message.ClusterName,
		LastChecked: message.LastChecked, Version: message.Version, RequestID: message.RequestID,
	}
	if err != nil {
		var syntax *json.SyntaxError
		known.Outcome, known.Error = "type", err.Error()
		if errors.As(err, &syntax) {
			known.Outcome = "syntax"
		}
		return known
	}
	known.Outcome = missing(message)
	if known.Outcome != "received" {
		return known
	}
	known.OriginalBytes = len(written(*message.Report))
	for _, key := range []string{"system", "fingerprints", "skips", "info", "pass", "analysis_metadata"} {
		delete(*message.Report, key)
	}
	known.Text = written(*message.Report)
	if checked, err := time.Parse(time.RFC3339Nano, message.LastChecked); err == nil {
		known.Moment = &moment{Seconds: checked.Unix(), Nanos: checked.Nanosecond()}
	}
	return known
}

func missing(message incomingMessage) string {
	switch {
	case message.OrgID == nil:
		return "OrgID"
	case message.AccountNumber == nil:
		return "AccountNumber"
	case message.ClusterName == nil:
		return "ClusterName"
	case message.Report == nil:
		return "Report"
	}
	for _, key := range []string{"fingerprints", "reports", "system"} {
		if _, found := (*message.Report)[key]; !found {
			return key
		}
	}
	return "received"
}

func written(value report) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return text
}

func main() {
	input := bufio.NewReaderSize(os.Stdin, 1<<16)
	output := bufio.NewWriterSize(os.Stdout, 1<<16)
	encoder := json.NewEncoder(output)
	for {
		var length uint32
		if err := binary.Read(input, binary.BigEndian, &length); err == io.EOF {
			return
		} else if err != nil {
			panic(err)
		}
		document := make([]byte, length)
		if _, err := io.ReadFull(input, document); err != nil {
			panic(err)
		}
		if err := encoder.Encode(judge(document)); err != nil {
			panic(err)
		}
		// Whoever asks waits for the answers to all that was sent.
		if input.Buffered() == 0 {
			output.Flush()
		}
	}
}
