// A client that does over HTTP what the Insights Operator does, with the same library of the language: one plan in, what came of it out.
// Written from docs and a description of the wire (ingress.md B.1 to B.6), not from the operator's code; its waits come from the plan.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os"
	"strings"
	"time"
)

// Plan has the operator's settings by the names of its ConfigMap.
type Plan struct {
	UploadEndpoint              string
	DownloadEndpoint            string
	DownloadEndpointTechPreview string
	ProcessingStatusEndpoint    string
	ConditionalGathererEndpoint string
	ClusterTransferEndpoint     string
	Token                       string
	Cluster                     string
	ReleaseVersion              string
	Archive                     []byte
	// JobMode: one upload, its processing status, its report.
	JobMode bool
	// WaitMs stands for the minute between two polls.
	WaitMs int
}

// Condition is one of the operator's: its status, and the reason where it is not the healthy one.
type Condition struct {
	Status string
	Reason string
}

// Recommendation becomes a series of insights_recommendation_active.
type Recommendation struct {
	Description string
	TotalRisk   int
	ErrorKey    string
	Rule        string
}

// Outcome is what the cluster would show.
type Outcome struct {
	RequestID       string
	Conditions      map[string]Condition
	Recommendations []Recommendation
	Health          map[string]int
	LastCheckedAt   string
	ContainerLogs   int
	Statuses        []int
	Error           string
}

type operator struct {
	plan    Plan
	client  *http.Client
	outcome Outcome
}

func main() {
	for {
		var length uint32
		if binary.Read(os.Stdin, binary.BigEndian, &length) != nil {
			return
		}
		document := make([]byte, length)
		if _, err := io.ReadFull(os.Stdin, document); err != nil {
			return
		}
		answer, _ := json.Marshal(run(document))
		fmt.Println(string(answer))
	}
}

func run(document []byte) Outcome {
	// As the operator's: no connection is kept.
	o := operator{client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	o.outcome.Conditions = map[string]Condition{}
	o.outcome.Health = map[string]int{"total": -1}
	if err := json.Unmarshal(document, &o.plan); err != nil {
		o.outcome.Error = err.Error()
		return o.outcome
	}
	o.gatheringRules()
	if o.upload() {
		if o.plan.JobMode {
			o.jobReport()
		} else {
			o.classicReport()
		}
	}
	o.clusterTransfer()
	return o.outcome
}

func (o *operator) set(name, status, reason string) {
	o.outcome.Conditions[name] = Condition{status, reason}
}

func (o *operator) wait() { time.Sleep(time.Duration(o.plan.WaitMs) * time.Millisecond) }

func (o *operator) request(method, url string, body io.Reader) (*http.Request, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		cancel()
		return nil, err
	}
	context.AfterFunc(ctx, cancel)
	request.Header.Set("User-Agent", "insights-operator/"+o.plan.ReleaseVersion+"-0000000 cluster/"+o.plan.Cluster)
	request.Header.Set("Authorization", "Bearer "+o.plan.Token)
	return request, nil
}

// get answers with status 0 where nobody answers.
func (o *operator) get(url string) (int, []byte) {
	request, err := o.request(http.MethodGet, url, nil)
	if err != nil {
		return 0, nil
	}
	response, err := o.client.Do(request)
	if err != nil {
		o.outcome.Statuses = append(o.outcome.Statuses, 0)
		return 0, nil
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	o.outcome.Statuses = append(o.outcome.Statuses, response.StatusCode)
	return response.StatusCode, body
}

// upload streams the form while it is written, so that its length is not known and it goes in chunks.
func (o *operator) upload() bool {
	reader, writer := io.Pipe()
	form := multipart.NewWriter(writer)
	go func() {
		writer.CloseWithError(writeForm(form, o.plan.Archive))
	}()
	request, err := o.request(http.MethodPost, o.plan.UploadEndpoint, reader)
	if err != nil {
		o.set("UploadDegraded", "True", err.Error())
		return false
	}
	request.Header.Set("Content-Type", form.FormDataContentType())
	response, err := o.client.Do(request)
	if err != nil {
		o.set("UploadDegraded", "True", "UploadFailed")
		return false
	}
	defer response.Body.Close()
	io.Copy(io.Discard, response.Body)
	o.outcome.Statuses = append(o.outcome.Statuses, response.StatusCode)
	switch {
	case response.StatusCode == 401 || response.StatusCode == 403:
		o.set("UploadDegraded", "True", "NotAuthorized")
		return false
	case response.StatusCode < 200 || response.StatusCode >= 300:
		o.set("UploadDegraded", "True", "UploadFailed")
		return false
	}
	o.outcome.RequestID = response.Header.Get("x-rh-insights-request-id")
	o.set("UploadDegraded", "False", "")
	return true
}

func writeForm(form *multipart.Writer, archive []byte) error {
	parts := []struct {
		name, file, kind string
		content          []byte
	}{
		{"file", "payload.tar.gz", "application/vnd.redhat.openshift.periodic", archive},
		{"metadata", "metadata.json", "application/octet-stream",
			[]byte(`{"custom_metadata":{"gathering_time":"` + time.Now().UTC().Format(time.RFC3339) + `"}}`)},
	}
	for _, part := range parts {
		header := textproto.MIMEHeader{}
		header.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`, part.name, part.file))
		header.Set("Content-Type", part.kind)
		body, err := form.CreatePart(header)
		if err != nil {
			return err
		}
		if _, err = body.Write(part.content); err != nil {
			return err
		}
	}
	return form.Close()
}

// classicReport waits, and asks three times while there is none yet.
func (o *operator) classicReport() {
	var status int
	var body []byte
	for range 3 {
		o.wait()
		status, body = o.get(fmt.Sprintf(o.plan.DownloadEndpoint, o.plan.Cluster))
		if status != 404 {
			break
		}
	}
	switch {
	case status == 401 || status == 403:
		o.set("InsightsDownloadDegraded", "True", "NotAuthorized")
		return
	case status == 404:
		o.set("InsightsDownloadDegraded", "True", "NotAvailable")
		return
	case status != 200:
		o.set("InsightsDownloadDegraded", "True", "UnexpectedError")
		return
	}
	var answer struct {
		Report struct {
			Meta struct {
				Count         int       `json:"count"`
				LastCheckedAt time.Time `json:"last_checked_at"`
				GatheredAt    time.Time `json:"gathered_at"`
			} `json:"meta"`
			Data []struct {
				RuleID      string          `json:"rule_id"`
				Description string          `json:"description"`
				TotalRisk   int             `json:"total_risk"`
				Disabled    bool            `json:"disabled"`
				UserVote    json.RawMessage `json:"user_vote"`
				ExtraData   struct {
					ErrorKey string `json:"error_key"`
				} `json:"extra_data"`
			} `json:"data"`
		} `json:"report"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		o.set("InsightsDownloadDegraded", "True", err.Error())
		return
	}
	report := answer.Report
	o.outcome.LastCheckedAt = report.Meta.LastCheckedAt.UTC().Format(time.RFC3339Nano)
	names := []string{"", "low", "moderate", "important", "critical"}
	health := map[string]int{"low": 0, "moderate": 0, "important": 0, "critical": 0, "total": report.Meta.Count}
	for _, rule := range report.Data {
		if rule.Disabled {
			health["total"]--
			continue
		}
		if rule.TotalRisk < 1 || rule.TotalRisk > 4 || rule.ExtraData.ErrorKey == "" {
			o.outcome.Error = "a rule without risk or key: " + rule.RuleID
			continue
		}
		health[names[rule.TotalRisk]]++
		o.outcome.Recommendations = append(o.outcome.Recommendations, Recommendation{
			rule.Description, rule.TotalRisk, rule.ExtraData.ErrorKey, strings.TrimSuffix(rule.RuleID, ".report")})
	}
	o.outcome.Health = health
	o.set("InsightsDownloadDegraded", "False", "")
}

// jobReport polls until the request is processed, with three more tries, and fetches its report.
func (o *operator) jobReport() {
	processed := false
	for range 4 {
		o.wait()
		status, body := o.get(fmt.Sprintf(o.plan.ProcessingStatusEndpoint, o.plan.Cluster, o.outcome.RequestID))
		var answer struct {
			Cluster string `json:"cluster"`
			Status  string `json:"status"`
		}
		if status == 200 && json.Unmarshal(body, &answer) == nil && answer.Cluster == o.plan.Cluster && answer.Status == "processed" {
			processed = true
			break
		}
	}
	if !processed {
		o.set("DataProcessed", "False", "Failure")
		return
	}
	o.set("DataProcessed", "True", "")
	status, body := o.get(fmt.Sprintf(o.plan.DownloadEndpointTechPreview, o.plan.Cluster, o.outcome.RequestID))
	var answer struct {
		Cluster string `json:"cluster"`
		Report  []struct {
			ErrorKey    string `json:"error_key"`
			Description string `json:"description"`
			TotalRisk   int    `json:"total_risk"`
			RuleFQDN    string `json:"rule_fqdn"`
		} `json:"report"`
		RequestID string `json:"requestID"`
	}
	if status != 200 || json.Unmarshal(body, &answer) != nil || answer.RequestID != o.outcome.RequestID {
		o.set("InsightsDownloadDegraded", "True", "NotAvailable")
		return
	}
	for _, rule := range answer.Report {
		o.outcome.Recommendations = append(o.outcome.Recommendations, Recommendation{
			rule.Description, rule.TotalRisk, rule.ErrorKey, strings.TrimSuffix(rule.RuleFQDN, ".report")})
	}
	o.set("InsightsDownloadDegraded", "False", "")
}

// gatheringRules tries twice, and refuses a document with any key that it does not know.
func (o *operator) gatheringRules() {
	url := fmt.Sprintf(o.plan.ConditionalGathererEndpoint, o.plan.ReleaseVersion)
	status, body := o.get(url)
	if status != 200 && status != 0 {
		o.wait()
		status, body = o.get(url)
	}
	if status != 200 {
		o.set("RemoteConfigurationAvailable", "False", fmt.Sprintf("HttpStatus%d", status))
		return
	}
	o.set("RemoteConfigurationAvailable", "True", "")
	if err := o.readRules(body); err != nil {
		o.set("RemoteConfigurationValid", "False", err.Error())
		return
	}
	o.set("RemoteConfigurationValid", "True", "")
}

func (o *operator) readRules(body []byte) error {
	var document struct {
		Version string            `json:"version"`
		Rules   []json.RawMessage `json:"conditional_gathering_rules"`
		Logs    []struct {
			Namespace    string   `json:"namespace"`
			PodNameRegex string   `json:"pod_name_regex"`
			Messages     []string `json:"messages"`
			Previous     bool     `json:"previous"`
		} `json:"container_logs"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&document); err != nil {
		return err
	}
	if document.Version == "" || len(document.Rules) < 1 || len(document.Rules) > 64 || document.Logs == nil {
		return errors.New("no version, no rules or no container_logs")
	}
	o.outcome.ContainerLogs = len(document.Logs)
	return nil
}

func (o *operator) clusterTransfer() {
	switch status, body := o.get(o.plan.ClusterTransferEndpoint); {
	case status == 204 && len(body) == 0:
		o.set("ClusterTransfer", "None", "")
	default:
		o.set("ClusterTransfer", "Failed", fmt.Sprintf("HttpStatus%d", status))
	}
}
