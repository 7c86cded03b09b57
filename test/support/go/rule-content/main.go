// Go's own encoding/gob over the structs of the content service, and over one that holds what gob knows: gob to JSON and JSON to gob.
// Questions come on standard input, each behind its length in four bytes: a letter that says which, then the document. Answers go out as
// lines of JSON.
package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"
)

// Names and order of the fields are those of the content service's package; the tags are its JSON.

type ruleContentDirectory struct {
	Config globalRuleConfig       `json:"config"`
	Rules  map[string]ruleContent `json:"rules"`
}

type globalRuleConfig struct {
	Impact         map[string]int `json:"impact"`
	ResolutionRisk map[string]int `json:"resolution_risk"`
}

type ruleContent struct {
	Plugin     rulePluginInfo                 `json:"plugin"`
	ErrorKeys  map[string]ruleErrorKeyContent `json:"error_keys"`
	Generic    string                         `json:"generic"`
	Summary    string                         `json:"summary"`
	Resolution string                         `json:"resolution"`
	MoreInfo   string                         `json:"more_info"`
	Reason     string                         `json:"reason"`
	HasReason  bool
}

type rulePluginInfo struct {
	Name         string `json:"name"`
	NodeID       string `json:"node_id"`
	ProductCode  string `json:"product_code"`
	PythonModule string `json:"python_module"`
}

type ruleErrorKeyContent struct {
	Metadata   errorKeyMetadata `json:"metadata"`
	TotalRisk  int              `json:"total_risk"`
	Generic    string           `json:"generic"`
	Summary    string           `json:"summary"`
	Resolution string           `json:"resolution"`
	MoreInfo   string           `json:"more_info"`
	Reason     string           `json:"reason"`
	HasReason  bool
}

type errorKeyMetadata struct {
	Description    string   `json:"description"`
	Impact         impact   `json:"impact"`
	Likelihood     int      `json:"likelihood"`
	PublishDate    string   `json:"publish_date"`
	ResolutionRisk int      `json:"resolution_risk"`
	Status         string   `json:"status"`
	Tags           []string `json:"tags"`
}

type impact struct {
	Name   string `json:"name"`
	Impact int    `json:"impact"`
}

// What gob knows beside the content: whole numbers of 64 bits as text, since JSON readers round them.
type kinds struct {
	Flag   bool
	Whole  int64  `json:",string"`
	Count  uint64 `json:",string"`
	Real   float64
	Text   string
	Bytes  []byte
	Texts  []string
	Named  map[string]int32
	Inner  inner
	Inners map[string][]inner
	// Only Go writes these: an array, a pointer, a type that encodes itself.
	Three   [3]uint16
	Pointer *int16
	Moment  time.Time
}

type inner struct {
	Small int8
	Deep  []map[string]bool
}

type answer struct {
	Error string
	// Base64: JSON or gob, what was not asked with.
	Value []byte
}

func answerTo(question []byte) answer {
	var target any
	switch question[0] {
	case 'c', 'C':
		target = &ruleContentDirectory{}
	case 'k', 'K':
		target = &kinds{}
	default:
		return answer{Error: fmt.Sprintf("no question begins with %q", question[0])}
	}
	var written bytes.Buffer
	document := question[1:]
	isGob := question[0] >= 'a'
	if isGob {
		input := bytes.NewReader(document)
		if err := gob.NewDecoder(input).Decode(target); err != nil {
			return answer{Error: err.Error()}
		}
		if input.Len() > 0 {
			return answer{Error: fmt.Sprintf("%d bytes are left", input.Len())}
		}
		if err := json.NewEncoder(&written).Encode(target); err != nil {
			return answer{Error: err.Error()}
		}
	} else {
		if err := json.Unmarshal(document, target); err != nil {
			return answer{Error: err.Error()}
		}
		if err := gob.NewEncoder(&written).Encode(target); err != nil {
			return answer{Error: err.Error()}
		}
	}
	return answer{Value: written.Bytes()}
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
		question := make([]byte, length)
		if _, err := io.ReadFull(input, question); err != nil {
			panic(err)
		}
		if err := encoder.Encode(answerTo(question)); err != nil {
			panic(err)
		}
		// Whoever asks waits for the answers to all that was sent.
		if input.Buffered() == 0 {
			output.Flush()
		}
	}
}
