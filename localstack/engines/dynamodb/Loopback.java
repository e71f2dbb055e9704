import com.amazonaws.services.dynamodbv2.local.main.ServerRunner;
import com.amazonaws.services.dynamodbv2.local.server.DynamoDBProxyServer;
import java.lang.reflect.Field;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;

/**
 * Starts DynamoDB Local on 127.0.0.1. By itself it listens on every interface and has no option against that, which
 * would offer an unauthenticated database to the whole network of a laptop or a CI machine.
 *
 * <p>It takes the same arguments as DynamoDB Local. If a later version hides its web server elsewhere, it refuses to
 * start rather than listen everywhere.
 */
public final class Loopback {
    public static void main(String[] args) throws Exception {
        DynamoDBProxyServer dynamodb = ServerRunner.createServerFromCommandLineArgs(args);
        for (Connector connector : webServer(dynamodb).getConnectors()) {
            ((ServerConnector) connector).setHost("127.0.0.1");
        }
        dynamodb.start();
        dynamodb.join();
    }

    /** The web server is found by its type, since the name of the private field is nobody's promise. */
    private static Server webServer(DynamoDBProxyServer dynamodb) throws ReflectiveOperationException {
        for (Field field : dynamodb.getClass().getDeclaredFields()) {
            if (field.getType() == Server.class) {
                field.setAccessible(true);
                return (Server) field.get(dynamodb);
            }
        }
        throw new IllegalStateException("this DynamoDB Local has no Jetty server to bind to 127.0.0.1");
    }

    /**
     * Does nothing. LocalStack starts DynamoDB Local with a Java agent of its own, which lifts the limit of 20 global
     * indexes and would be a download from outside the package registries; our jar stands in for it.
     */
    public static void premain(String arguments) {}
}
