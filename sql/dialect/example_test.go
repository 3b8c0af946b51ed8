package dialect_test

import (
	"fmt"

	"github.com/kalamdb/kalamdb-go/sql/ddl"
	"github.com/kalamdb/kalamdb-go/sql/dialect"
	"github.com/kalamdb/kalamdb-go/sql/dialect/ast"
)

// This is the example of the module's README.
func ExampleParse() {
	sts, err := dialect.Parse(`
		CREATE TABLE chat.messages (id BIGINT AUTO_INCREMENT PRIMARY KEY, content TEXT);
		EXECUTE AS USER 'alice' (SELECT * FROM chat.messages)`, dialect.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	table := sts[0].Node.(*ast.CreateTable).Table()
	fmt.Println(ddl.ShowCreate(table))
	fmt.Println(sts[1].Kind, "as", sts[1].As)
	// Output:
	// CREATE USER TABLE `chat`.`messages` (
	//   `id` BIGINT NOT NULL DEFAULT SNOWFLAKE_ID(),
	//   `content` TEXT,
	//   PRIMARY KEY (`id`)
	// )
	// SELECT as alice
}

func ExampleLex() {
	text := "SELECT `a` FROM t"
	toks, err := dialect.Lex(text, dialect.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, t := range toks {
		fmt.Println(t.Kind, t.Text(text))
	}
	// Output:
	// identifier SELECT
	// quoted identifier `a`
	// identifier FROM
	// identifier t
}
