// A webhook receiver that needs nothing but Go: `HOOKLINE_SECRET=whsec_… PORT=9000 go run receiver.go`.
// It takes a delivery only if its signature is right and its time is near, and handles each event once.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	tolerance   = 5 * time.Minute
	largestBody = 1024 * 1024
	mostSeen    = 100_000
)

// A secret as it is spelled, and as the key that Standard Webhooks makes of it.
type secret struct{ spelled, key []byte }

var secrets []secret

// readSecrets takes several, separated by spaces, while you change from one to the next.
func readSecrets(text string) {
	for _, spelled := range strings.Fields(text) {
		key := []byte(spelled)
		if strings.HasPrefix(spelled, "whsec_") {
			var err error
			if key, err = base64.StdEncoding.DecodeString(spelled[6:]); err != nil || len(key) == 0 {
				log.Fatal("HOOKLINE_SECRET: what follows whsec_ must be base64")
			}
		}
		secrets = append(secrets, secret{[]byte(spelled), key})
	}
	if len(secrets) == 0 {
		log.Fatal("HOOKLINE_SECRET: set it to the endpoint's secret")
	}
}

// What we read of a body, whichever format the endpoint has.
type document struct {
	EventID string `json:"event_id"`
	Topic   string `json:"topic"`
	Type    string `json:"type"`
	Event   *struct {
		Topic string `json:"topic"`
	} `json:"event"`
}

// handle is your work. If it fails, the answer is 500 and HookLine tries again later.
func handle(eventID string, body []byte) error {
	var found document
	if err := json.Unmarshal(body, &found); err != nil {
		return err
	}
	topic := found.Topic + found.Type
	if found.Event != nil {
		topic = found.Event.Topic
	}
	fmt.Println(eventID, topic)
	return nil
}

// authenticID is the event's id if the delivery is signed with one of our secrets and not old; else "".
func authenticID(header http.Header, body []byte) string {
	if len(header.Values("webhook-signature")) > 0 {
		return standardID(header, body)
	}
	return hooklineID(header, body)
}

// standardID goes by Standard Webhooks: `webhook-signature` is base64 of HMAC-SHA256 over `id.timestamp.body`.
func standardID(header http.Header, body []byte) string {
	id, timestamp := header.Get("webhook-id"), header.Get("webhook-timestamp")
	signatures := strings.Fields(header.Get("webhook-signature")) // one for each secret of the endpoint
	for _, secret := range secrets {
		expected := "v1," + base64.StdEncoding.EncodeToString(digest(secret.key, id+"."+timestamp+".", body))
		for _, signature := range signatures {
			if same(expected, signature) && isNear(timestamp, time.Second) {
				return id
			}
		}
	}
	return ""
}

// hooklineID goes by `x-hl-signature`: hexadecimal HMAC-SHA256 over `timestamp.body`, the time in milliseconds.
// The id must come from the body, since no header but the time is signed.
func hooklineID(header http.Header, body []byte) string {
	timestamp := header.Get("x-hl-timestamp")
	for _, secret := range secrets {
		expected := "v1=" + hex.EncodeToString(digest(secret.spelled, timestamp+".", body))
		if same(expected, header.Get("x-hl-signature")) && isNear(timestamp, time.Millisecond) {
			var found document
			if json.Unmarshal(body, &found) == nil {
				return found.EventID
			}
		}
	}
	return ""
}

func digest(key []byte, before string, body []byte) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(before))
	hash.Write(body)
	return hash.Sum(nil)
}

// same takes as long for a wrong signature as for a right one.
func same(expected, given string) bool {
	return hmac.Equal([]byte(expected), []byte(given))
}

func isNear(timestamp string, unit time.Duration) bool {
	number, err := strconv.ParseInt(timestamp, 10, 48)
	if err != nil {
		return false
	}
	away := time.Since(time.UnixMilli(number * unit.Milliseconds()))
	return -tolerance <= away && away <= tolerance
}

// The last ids that were handled. In earnest, a unique column in the transaction of the work itself.
var (
	lock  sync.Mutex
	seen  = map[string]bool{}
	order []string
)

// once handles an event unless it has been. One at a time, so that two repeats cannot pass each other.
func once(eventID string, body []byte) error {
	lock.Lock()
	defer lock.Unlock()
	if seen[eventID] {
		return nil
	}
	if err := handle(eventID, body); err != nil {
		return err
	}
	seen[eventID] = true // after the work: if that fails, the next attempt is no repeat
	if order = append(order, eventID); len(order) > mostSeen {
		delete(seen, order[0])
		order = order[1:]
	}
	return nil
}

func receive(response http.ResponseWriter, request *http.Request) {
	// The body as it came: JSON that is parsed and written anew has another signature.
	body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, largestBody))
	if err != nil {
		response.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	eventID := authenticID(request.Header, body)
	if eventID == "" {
		response.WriteHeader(http.StatusUnauthorized)
		return
	}
	if once(eventID, body) != nil {
		response.WriteHeader(http.StatusInternalServerError)
		return
	}
	response.WriteHeader(http.StatusNoContent)
}

func main() {
	readSecrets(os.Getenv("HOOKLINE_SECRET"))
	port := os.Getenv("PORT")
	if port == "" {
		port = "9000"
	}
	log.Fatal(http.ListenAndServe(":"+port, http.HandlerFunc(receive)))
}
