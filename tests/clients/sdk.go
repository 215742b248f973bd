// The Go SDK: answers are decoded into typed structures, and an empty one of 2xx is fine. Beside it what a
// user of it does: `go run sdk.go BASE_URL API_KEY ADMIN_KEY RECEIVER_URL` prints what it decoded as JSON.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"
)

type Event struct {
	ID         string                 `json:"id"`
	EventID    string                 `json:"event_id"`
	TenantID   string                 `json:"tenant_id"`
	Topic      string                 `json:"topic"`
	Payload    map[string]interface{} `json:"payload,omitempty"`
	OccurredAt int64                  `json:"occurred_at"`
	CreatedAt  int64                  `json:"created_at"`
}

type EventList struct {
	Items      []Event `json:"items"`
	Count      int     `json:"count"`
	NextCursor string  `json:"next_cursor"`
}

type PublishRequest struct {
	Topic          string                 `json:"topic"`
	Payload        map[string]interface{} `json:"payload,omitempty"`
	IdempotencyKey string                 `json:"idempotency_key,omitempty"`
	OccurredAt     int64                  `json:"occurred_at,omitempty"`
}

type EndpointRequest struct {
	URL          string            `json:"url"`
	Name         string            `json:"name,omitempty"`
	Secret       string            `json:"secret,omitempty"`
	MaxInFlight  int               `json:"max_in_flight,omitempty"`
	RateLimitRPS int               `json:"rate_limit_rps,omitempty"`
	TimeoutMS    int               `json:"timeout_ms,omitempty"`
	Headers      map[string]string `json:"headers,omitempty"`
	Enabled      *bool             `json:"enabled,omitempty"`
}

type Endpoint struct {
	EndpointID string `json:"endpoint_id"`
	Name       string `json:"name"`
	URL        string `json:"url"`
	Enabled    bool   `json:"enabled"`
	TenantID   string `json:"tenant_id"`
	CreatedAt  int64  `json:"created_at"`
}

type EndpointList struct {
	Items []Endpoint `json:"items"`
	Count int        `json:"count"`
}

type Subscription struct {
	SubscriptionID string `json:"subscription_id"`
	EndpointID     string `json:"endpoint_id"`
	TopicPattern   string `json:"topic_pattern"`
	TenantID       string `json:"tenant_id"`
	CreatedAt      int64  `json:"created_at"`
}

type SubscriptionList struct {
	Items []Subscription `json:"items"`
	Count int            `json:"count"`
}

type DLQEntry struct {
	JobID        string `json:"job_id"`
	EventID      string `json:"event_id"`
	EndpointID   string `json:"endpoint_id"`
	Reason       string `json:"reason"`
	AttemptCount int    `json:"attempt_count"`
	CreatedAt    int64  `json:"created_at"`
}

type DLQList struct {
	Items []DLQEntry `json:"items"`
	Count int        `json:"count"`
}

type Tenant struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	APIKey    string `json:"api_key,omitempty"`
	CreatedAt int64  `json:"created_at"`
}

type TenantList struct {
	Items []Tenant `json:"items"`
}

type Client struct{ BaseURL, APIKey string }

type apiError struct {
	Error   string      `json:"error"`
	Message interface{} `json:"message"`
}

// Do sends in and decodes the answer into out, both if they are there.
func (c Client) Do(method, path string, in, out interface{}) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, c.BaseURL+path, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+c.APIKey)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		var fault apiError
		if err := json.Unmarshal(text, &fault); err != nil {
			return fmt.Errorf("%d without a JSON body: %w", response.StatusCode, err)
		}
		if message, ok := fault.Message.(string); ok {
			return fmt.Errorf("%d %s", response.StatusCode, message)
		}
		return fmt.Errorf("%d %s", response.StatusCode, fault.Error)
	}
	if len(text) == 0 || out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	client := Client{os.Args[1], os.Args[2]}
	operator := Client{os.Args[1], os.Args[3]}
	enabled := true
	wanted := EndpointRequest{
		URL: os.Args[4], Name: "go", MaxInFlight: 5, RateLimitRPS: 50, TimeoutMS: 5000,
		Headers: map[string]string{"x-from": "go"}, Enabled: &enabled,
	}

	var endpoint Endpoint
	must(client.Do("POST", "/v1/endpoints", wanted, &endpoint))
	var subscription Subscription
	pattern := map[string]string{"endpoint_id": endpoint.EndpointID, "topic_pattern": "#"}
	must(client.Do("POST", "/v1/subscriptions", pattern, &subscription))

	var bare, full Event
	must(client.Do("POST", "/v1/events", PublishRequest{Topic: "go.bare"}, &bare))
	paid := PublishRequest{Topic: "go.full", Payload: map[string]interface{}{"n": 1}, OccurredAt: 1700000000000}
	must(client.Do("POST", "/v1/events", paid, &full))

	var page, rest EventList
	must(client.Do("GET", "/v1/events?limit=1&topic=go.*", nil, &page))
	must(client.Do("GET", "/v1/events?limit=1&topic=go.*&cursor="+page.NextCursor, nil, &rest))
	var endpoints EndpointList
	must(client.Do("GET", "/v1/endpoints", nil, &endpoints))
	var subscriptions SubscriptionList
	must(client.Do("GET", "/v1/subscriptions", nil, &subscriptions))

	var letters DLQList
	for deadline := time.Now().Add(30 * time.Second); letters.Count < 2 && time.Now().Before(deadline); {
		must(client.Do("GET", "/v1/dlq", nil, &letters))
	}
	missing := client.Do("POST", "/v1/events", map[string]string{}, nil)
	must(client.Do("DELETE", "/v1/subscriptions/"+subscription.SubscriptionID, nil, nil))
	must(client.Do("DELETE", "/v1/endpoints/"+endpoint.EndpointID, nil, nil))

	var tenant Tenant
	name := map[string]string{"id": fmt.Sprintf("of-go-%d", os.Getpid()), "name": "Go"}
	must(operator.Do("POST", "/v1/tenants", name, &tenant))
	var tenants TenantList
	must(operator.Do("GET", "/v1/tenants", nil, &tenants))
	must(operator.Do("DELETE", "/v1/tenants/"+tenant.ID, nil, nil))

	must(json.NewEncoder(os.Stdout).Encode(map[string]interface{}{
		"endpoint": endpoint, "subscription": subscription, "bare": bare, "full": full, "page": page, "rest": rest,
		"endpoints": endpoints, "subscriptions": subscriptions, "dlq": letters, "tenant": tenant,
		"tenants": len(tenants.Items), "missing": missing.Error(),
	}))
}
